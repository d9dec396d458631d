//! Principals that a stored policy names: known by the ids that they had when it was saved, so that nobody inherits what
//! another of the same name was granted.

use std::collections::BTreeMap;

use longshore_policy::{Policy, rename_principals};
use longshore_store::meta::Tx;
use longshore_types::{
    account::AccountId,
    arn::{PrincipalArn, PrincipalKind},
};

use crate::{
    error::{Error, Result},
    table::{account, principal, target::PolicyRow},
};

/// The row of a policy whose principals all exist now; `None` if one does not.
pub(crate) fn bind(tx: &mut dyn Tx, text: &str, policy: &Policy) -> Result<Option<PolicyRow>> {
    let mut ids = BTreeMap::new();
    for text in policy.principal_arns() {
        match id_of(tx, text)? {
            Some(id) => ids.insert(text.to_owned(), id),
            None => return Ok(None),
        };
    }
    let named_by_id: Vec<&str> = policy.principal_ids().into_iter().collect();
    if principal::arns(tx, &named_by_id)?.len() < named_by_id.len() {
        return Ok(None);
    }
    let accounts: Vec<AccountId> = policy.principal_accounts().into_iter().collect();
    if account::existing(tx, &accounts)? < accounts.len() {
        return Ok(None);
    }
    Ok(Some(PolicyRow {
        text: text.to_owned(),
        principals: serde_json::to_string(&ids).map_err(Error::internal)?,
    }))
}

/// The id of a user or role, or of the role of a session.
fn id_of(tx: &mut dyn Tx, text: &str) -> Result<Option<String>> {
    let Ok(arn) = PrincipalArn::parse(text) else {
        return Ok(None);
    };
    let session = arn.as_arn().resource().split('/').nth(1);
    Ok(match (arn.kind(), session) {
        (PrincipalKind::AssumedRole, Some(role)) => principal::role_id(tx, arn.account(), role)?,
        _ => principal::id(tx, text)?,
    })
}

/// The text of a stored policy as it is shown: who has another name by now is shown by it, who is gone by the id.
pub(crate) fn shown(tx: &mut dyn Tx, row: &PolicyRow) -> Result<String> {
    let ids: BTreeMap<String, String> =
        serde_json::from_str(&row.principals).map_err(Error::internal)?;
    let wanted: Vec<&str> = ids.values().map(String::as_str).collect();
    let arns: BTreeMap<String, String> = principal::arns(tx, &wanted)?.into_iter().collect();
    let names = ids.iter().filter_map(|(text, id)| {
        let arn = match arns.get(id) {
            Some(arn) => of_session(text, arn)?,
            None => id.clone(),
        };
        (arn != *text).then(|| (text.clone(), arn))
    });
    rename_principals(&row.text, &names.collect()).map_err(Error::internal)
}

/// The ARN to show for `text`, which named what has the ARN `arn` now: of a session if it named one.
fn of_session(text: &str, arn: &str) -> Option<String> {
    let (named, now) = (
        PrincipalArn::parse(text).ok()?,
        PrincipalArn::parse(arn).ok()?,
    );
    if named.kind() != PrincipalKind::AssumedRole {
        return Some(arn.to_owned());
    }
    let (account, role, session) = (now.account(), now.name(), named.name());
    Some(format!(
        "arn:aws:sts::{account}:assumed-role/{role}/{session}"
    ))
}

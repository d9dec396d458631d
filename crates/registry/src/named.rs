//! Principals that a stored policy names: known by the ids that they had when it was saved, so that nobody inherits what
//! another of the same name was granted.

use std::collections::BTreeMap;

use longshore_policy::{Policy, rename_principals};
use longshore_store::meta::Tx;
use longshore_types::arn::{PrincipalArn, PrincipalKind};

use crate::{
    error::{Error, Result},
    table::{account, principal, target::PolicyRow},
};

/// A principal that a policy names and that there is not, as the policy writes it.
#[derive(Debug)]
pub(crate) struct Unknown(pub(crate) String);

/// The row of a policy whose principals all exist now.
pub(crate) fn bind(
    tx: &mut dyn Tx,
    text: &str,
    policy: &Policy,
) -> Result<Result<PolicyRow, Unknown>> {
    let mut ids = BTreeMap::new();
    for text in policy.principal_arns() {
        match id_of(tx, text)? {
            Some(id) => ids.insert(text.to_owned(), id),
            None => return Ok(Err(Unknown(text.to_owned()))),
        };
    }
    for id in policy.principal_ids() {
        if principal::arns(tx, &[id])?.is_empty() {
            return Ok(Err(Unknown(id.to_owned())));
        }
    }
    for account in policy.principal_accounts() {
        if account::existing(tx, &[account])? == 0 {
            return Ok(Err(Unknown(account.to_string())));
        }
    }
    Ok(Ok(PolicyRow {
        text: text.to_owned(),
        principals: serde_json::to_string(&ids).map_err(Error::internal)?,
    }))
}

/// The ids of the principals that a policy names, for [`Policy::bind`]; who is not there is known by the ARN.
pub(crate) fn ids_or_names(tx: &mut dyn Tx, policy: &Policy) -> Result<BTreeMap<String, String>> {
    let bind = |arn: &str| {
        Ok((
            arn.to_owned(),
            id_of(tx, arn)?.unwrap_or_else(|| arn.to_owned()),
        ))
    };
    policy.principal_arns().into_iter().map(bind).collect()
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

//! The condition keys that tell about a principal, whatever it asks for.

use longshore_types::{arn::PrincipalKind, time::Timestamp};

use super::Known;
use crate::session::{Session, SessionKind};

/// The keys of a principal with their values.
pub(super) fn of(known: &Known) -> Vec<(String, String)> {
    let session = known.session().map(AsRef::as_ref);
    let mut keys = vec![
        pair("aws:PrincipalArn", principal_arn(known, session)),
        pair("aws:PrincipalAccount", known.account.to_string()),
        pair("aws:PrincipalType", principal_type(known, session)),
        pair("aws:userid", user_id(known)),
    ];
    let is_user = known.kind == PrincipalKind::User;
    if is_user && session.is_none_or(|session| session.kind == SessionKind::SessionToken) {
        keys.push(pair("aws:username", known.principal_arn.name()));
    }
    for (key, value) in &known.tags {
        keys.push((format!("aws:PrincipalTag/{key}"), value.clone()));
    }
    if let Some(session) = session {
        add_session(&mut keys, session);
    }
    keys
}

fn pair(key: &str, value: impl Into<String>) -> (String, String) {
    (key.to_owned(), value.into())
}

fn add_session(keys: &mut Vec<(String, String)>, session: &Session) {
    let issued = Timestamp::from_millis(session.issued_at);
    keys.push(pair("aws:TokenIssueTime", issued.to_rfc3339()));
    // Nobody has a second factor here. AWS has the key for temporary credentials alone.
    keys.push(pair("aws:MultiFactorAuthPresent", "false"));
    if let Some(identity) = &session.source_identity {
        keys.push(pair("aws:SourceIdentity", identity));
    }
    if let Some(provider) = &session.provider {
        keys.push(pair("aws:FederatedProvider", &provider.arn));
        for (key, values) in &provider.keys {
            keys.extend(values.iter().map(|value| pair(key, value)));
        }
    }
}

/// Of a role's session the role, of a federated user its session, else the principal itself.
fn principal_arn(known: &Known, session: Option<&Session>) -> String {
    match session.map(|session| session.kind) {
        Some(SessionKind::FederatedUser) => known.arn.to_string(),
        _ => known.principal_arn.to_string(),
    }
}

fn principal_type(known: &Known, session: Option<&Session>) -> &'static str {
    match (session.map(|session| session.kind), known.kind) {
        (Some(SessionKind::FederatedUser), _) => "FederatedUser",
        (_, PrincipalKind::Root) => "Account",
        (_, PrincipalKind::User) => "User",
        _ => "AssumedRole",
    }
}

/// IAM User Guide, "IAM JSON policy elements: Variables", the table of principal key values.
pub(super) fn user_id(known: &Known) -> String {
    match known.session() {
        Some(session) => match session.kind {
            SessionKind::AssumedRole | SessionKind::WebIdentity => {
                format!("{}:{}", known.id, session.name)
            }
            SessionKind::FederatedUser => format!("{}:{}", known.account, session.name),
            SessionKind::SessionToken => known.id.clone(),
        },
        None => known.id.clone(),
    }
}

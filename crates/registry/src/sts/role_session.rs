//! A session of a role: what both ways to assume one have in common.

use std::time::Duration;

use longshore_store::meta::Tx;
use longshore_types::{
    arn::{PrincipalArn, PrincipalKind},
    time::Timestamp,
};
use serde::Serialize;

use super::{access_key, terms::Terms};
use crate::{
    error::{Fault, Result},
    iam::{identity::IdentityKind, member},
    session::{Provider, Session, SessionKind},
    table::role,
};

/// How long a session lasts unless its maker says so, in seconds.
const DEFAULT_SECONDS: i64 = 3600;
const MIN_SECONDS: i64 = 900;
/// The longest session that any role allows.
const MAX_SECONDS: i64 = 43_200;

/// Who a session of a role is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AssumedRoleUser {
    assumed_role_id: String,
    arn: String,
}

/// A session of a role in the making.
#[derive(Clone, Debug)]
pub(super) struct RoleSession {
    pub(super) role: PrincipalArn,
    pub(super) name: String,
    pub(super) seconds: i64,
    pub(super) kind: SessionKind,
    pub(super) terms: Terms,
    pub(super) source_identity: Option<String>,
    pub(super) provider: Option<Provider>,
}

impl RoleSession {
    /// Makes the session, in the transaction that proves that it may be made. `None` when there is no such role.
    pub(super) fn make(self, tx: &mut dyn Tx) -> Result<Option<Session>> {
        let account = self.role.account();
        let Some(found) = role::named(tx, account, self.role.name())? else {
            return Ok(None);
        };
        let identity = found.identity;
        let arn = IdentityKind::Role.arn(account, &identity.path, &identity.name);
        if arn != self.role.to_string() {
            return Ok(None);
        }
        if self.seconds > found.max_session_seconds {
            return Err(Fault::Validation.because(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ));
        }
        self.terms.check_managed(tx, account)?;
        let Terms {
            policy,
            policy_arns,
            tags,
            transitive,
        } = self.terms;
        let (issued_at, expires_at) = span(tx.now(), self.seconds);
        Ok(Some(Session {
            access_key: access_key::of(account)?,
            principal: identity.id,
            kind: self.kind,
            name: self.name,
            policy,
            policy_arns,
            tags,
            transitive,
            source_identity: self.source_identity,
            provider: self.provider,
            issued_at,
            expires_at,
        }))
    }
}

impl AssumedRoleUser {
    /// Tells who `session` is of `role`.
    pub(super) fn of(role: &PrincipalArn, session: &Session) -> Self {
        let (account, name) = (role.account(), &session.name);
        Self {
            assumed_role_id: format!("{}:{name}", session.principal),
            arn: format!("arn:aws:sts::{account}:assumed-role/{}/{name}", role.name()),
        }
    }
}

/// When a session that is made `now` begins and ends, in milliseconds.
pub(super) fn span(now: Timestamp, seconds: i64) -> (i64, i64) {
    let life = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    (now.as_millis(), now.plus(life).as_millis())
}

/// Reads the ARN of a role.
pub(super) fn role_arn(text: &str) -> Result<PrincipalArn> {
    member::arn("roleArn", text)?;
    let role = text.parse::<PrincipalArn>().ok();
    role.filter(|arn| arn.kind() == PrincipalKind::Role)
        .ok_or_else(|| Fault::Validation.because(format!("{text} is invalid")))
}

/// Checks the name of a session or of a federated user, or a source identity.
pub(super) fn check_name(name: &str, member: &str, max: usize) -> Result<()> {
    member::length(member, name, 2, max)?;
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "_+=,.@-".contains(letter);
    member::pattern(member, name, name.chars().all(fits), r"[\w+=,.@-]*")
}

/// Reads how long a session of a role shall last, in seconds.
pub(super) fn role_seconds(seconds: Option<i64>) -> Result<i64> {
    check_seconds(seconds.unwrap_or(DEFAULT_SECONDS), MAX_SECONDS)
}

/// Checks that a session lasts between 15 minutes and `max` seconds.
pub(super) fn check_seconds(seconds: i64, max: i64) -> Result<i64> {
    let bound = if seconds < MIN_SECONDS {
        format!("Member must have value greater than or equal to {MIN_SECONDS}")
    } else if seconds > max {
        format!("Member must have value less than or equal to {max}")
    } else {
        return Ok(seconds);
    };
    Err(member::invalid(
        "durationSeconds",
        &seconds.to_string(),
        bound,
    ))
}

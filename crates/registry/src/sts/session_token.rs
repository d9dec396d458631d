//! `GetSessionToken`.

use longshore_types::arn::PrincipalKind;
use serde::{Deserialize, Serialize};

use super::{
    access_key,
    role_session::{check_seconds, span},
};
use crate::{
    authz::{Needs, Permit, Resource, Sts},
    cx::{Cx, Scope},
    error::{Error, Result},
    operation::Operation,
    principal::Known,
    session::{Session, SessionCredentials},
};

const MAX_SECONDS: i64 = 129_600;
const DEFAULT_SECONDS: i64 = 43_200;
/// How long credentials of an account's root last at most.
const MAX_ROOT_SECONDS: i64 = 3600;

/// Makes temporary credentials of a user or root that may do what they may, but call IAM and most of STS.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetSessionToken {
    duration_seconds: Option<i64>,
    serial_number: Option<String>,
    token_code: Option<String>,
}

/// The credentials.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SessionToken {
    credentials: SessionCredentials,
}

impl Operation for GetSessionToken {
    type Output = SessionToken;

    fn needs(&self, _: &Scope) -> Result<Needs> {
        duration(self.duration_seconds)?;
        Ok(Needs::one(Sts::GetSessionToken, Resource::Caller))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<SessionToken> {
        let known = cx.caller.known().ok_or(Error::AuthenticationRequired)?;
        if self.serial_number.is_some() || self.token_code.is_some() {
            return Err(Error::denied(
                "MultiFactorAuthentication failed with invalid MFA one time pass code.",
            ));
        }
        let now = cx.read(permit.grant(), |tx, _| Ok(tx.now())).await?;
        let seconds = for_caller(known, duration(self.duration_seconds)?);
        let (issued_at, expires_at) = span(now, seconds);
        let access_key = access_key::of(known.account)?;
        let session = Session::plain(access_key, known.id.clone(), (issued_at, expires_at));
        Ok(SessionToken {
            credentials: session.issue(&cx.core.tokens)?,
        })
    }
}

/// Reads how long credentials of a user shall last, in seconds.
pub(super) fn duration(seconds: Option<i64>) -> Result<i64> {
    check_seconds(seconds.unwrap_or(DEFAULT_SECONDS), MAX_SECONDS)
}

/// Root's credentials end after an hour, whatever is asked for.
pub(super) fn for_caller(known: &Known, seconds: i64) -> i64 {
    if known.kind == PrincipalKind::Root {
        seconds.min(MAX_ROOT_SECONDS)
    } else {
        seconds
    }
}

//! `GetCallerIdentity`.

use longshore_types::account::AccountId;
use serde::{Deserialize, Serialize};

use crate::{
    authz::{Needs, Permit, Resource, Sts},
    cx::{Cx, Scope},
    error::{Error, Result},
    operation::Operation,
};

/// Tells the caller who it is. Nobody can be kept from that.
#[derive(Debug, Deserialize)]
pub struct GetCallerIdentity {}

/// Who calls.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallerIdentity {
    user_id: String,
    account: AccountId,
    arn: String,
}

impl Operation for GetCallerIdentity {
    type Output = CallerIdentity;

    fn needs(&self, _: &Scope) -> Result<Needs> {
        Ok(Needs::one(Sts::GetCallerIdentity, Resource::Caller))
    }

    async fn run(self, cx: &Cx<'_>, _: Permit<Self>) -> Result<CallerIdentity> {
        // The principal is still there, perhaps by another name.
        let core = cx.core;
        let caller = core.principals.refresh(&core.meta, &core.keys, &cx.caller);
        let caller = caller.await?;
        let known = caller.known().ok_or(Error::AuthenticationRequired)?;
        Ok(CallerIdentity {
            user_id: known.user_id(),
            account: known.account,
            arn: known.arn.to_string(),
        })
    }
}

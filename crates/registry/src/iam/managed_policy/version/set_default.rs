//! `SetDefaultPolicyVersion`.

use longshore_store::meta::Durability;
use serde::Deserialize;

use super::{not_found, number};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    iam::managed_policy::{changeable, on, refuse_aws},
    operation::Operation,
    table::{account, managed_policy},
};

/// Makes another version of a policy count.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SetDefaultPolicyVersion {
    policy_arn: String,
    version_id: String,
}

impl Operation for SetDefaultPolicyVersion {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        number(&self.version_id)?;
        on(Iam::SetDefaultPolicyVersion, scope, &self.policy_arn)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        refuse_aws(cx, Iam::SetDefaultPolicyVersion, &self.policy_arn)?;
        let wanted = number(&self.version_id)?;
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let policy = changeable(tx, account, &self.policy_arn)?;
            let version = managed_policy::version(tx, &policy.arn, wanted)?;
            version.ok_or_else(|| not_found(&policy.arn, wanted))?;
            managed_policy::set_versions(tx, &policy.arn, wanted, policy.last_version)?;
            account::bump(tx, account)?;
            Ok(())
        })
        .await
    }
}

//! `DeletePolicyVersion`.

use longshore_store::meta::Durability;
use serde::Deserialize;

use super::{not_found, number};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::{Fault, Result},
    iam::managed_policy::{changeable, on, refuse_aws},
    operation::Operation,
    table::{account, managed_policy},
};

/// Deletes a version of a policy that is not the default.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeletePolicyVersion {
    policy_arn: String,
    version_id: String,
}

impl Operation for DeletePolicyVersion {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        number(&self.version_id)?;
        on(Iam::DeletePolicyVersion, scope, &self.policy_arn)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        refuse_aws(cx, Iam::DeletePolicyVersion, &self.policy_arn)?;
        let wanted = number(&self.version_id)?;
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let policy = changeable(tx, account, &self.policy_arn)?;
            if wanted == policy.default_version {
                return Err(
                    Fault::DeleteConflict.because("Cannot delete the default version of a policy.")
                );
            }
            if !managed_policy::delete_version(tx, &policy.arn, wanted)? {
                return Err(not_found(&policy.arn, wanted));
            }
            account::bump(tx, account)?;
            Ok(())
        })
        .await
    }
}

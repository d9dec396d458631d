//! `DeletePolicy`.

use longshore_store::meta::Durability;
use serde::Deserialize;

use super::{changeable, on, refuse_aws};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::{Fault, Result},
    operation::Operation,
    table::{account, attachment::Uses, identity_tag, managed_policy},
};

/// Deletes a policy that nobody uses and of which only the default version is left.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeletePolicy {
    policy_arn: String,
}

impl Operation for DeletePolicy {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        on(Iam::DeletePolicy, scope, &self.policy_arn)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        refuse_aws(cx, Iam::DeletePolicy, &self.policy_arn)?;
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let policy = changeable(tx, account, &self.policy_arn)?;
            if policy.uses != Uses::default() {
                return Err(
                    Fault::DeleteConflict.because("Cannot delete a policy attached to entities.")
                );
            }
            if managed_policy::count_versions(tx, &policy.arn)? > 1 {
                return Err(Fault::DeleteConflict.because(
                    "This policy has more than one version. Before you delete a policy, you must delete the policy's \
                     versions. The default version is deleted with the policy.",
                ));
            }
            identity_tag::clear(tx, &policy.arn)?;
            managed_policy::delete(tx, &policy.arn)?;
            account::bump(tx, account)?;
            Ok(())
        })
        .await
    }
}

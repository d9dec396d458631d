//! `GetPolicy`.

use serde::{Deserialize, Serialize};

use super::{Found, Policy, named, on, uses};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    iam::tag::Tag,
    operation::Operation,
    table::identity_tag,
};

/// Tells one policy, but not its document.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetPolicy {
    policy_arn: String,
}

/// The policy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GotPolicy {
    policy: Policy,
}

impl Operation for GetPolicy {
    type Output = GotPolicy;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        on(Iam::GetPolicy, scope, &self.policy_arn)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<GotPolicy> {
        let policy = cx
            .read(permit.grant(), move |tx, grant| {
                let account = grant.registry().account();
                Ok(match named(tx, account, &self.policy_arn)? {
                    Found::Aws(policy) => Policy::of_aws(policy, uses(tx, account, policy)?),
                    Found::Customer(row) => Policy {
                        tags: Tag::all(identity_tag::all(tx, &row.arn)?),
                        ..Policy::of_customer(row)
                    },
                })
            })
            .await?;
        Ok(GotPolicy { policy })
    }
}

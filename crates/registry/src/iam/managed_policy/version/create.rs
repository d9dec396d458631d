//! `CreatePolicyVersion`.

use longshore_store::meta::Durability;
use serde::{Deserialize, Serialize};

use super::PolicyVersion;
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::{Fault, Result},
    iam::{
        document,
        managed_policy::{changeable, on, refuse_aws},
        quota,
    },
    operation::Operation,
    table::{
        account,
        managed_policy::{self, Version},
    },
};

/// Makes a new version of a policy, which counts if it is to be the default.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreatePolicyVersion {
    policy_arn: String,
    policy_document: String,
    set_as_default: Option<bool>,
}

/// The new version.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreatedVersion {
    policy_version: PolicyVersion,
}

impl Operation for CreatePolicyVersion {
    type Output = CreatedVersion;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        document::check_managed("policyDocument", &self.policy_document)?;
        on(Iam::CreatePolicyVersion, scope, &self.policy_arn)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<CreatedVersion> {
        refuse_aws(cx, Iam::CreatePolicyVersion, &self.policy_arn)?;
        let policy_version = cx
            .change(permit.grant(), Durability::Durable, move |tx, grant| {
                let account = grant.registry().account();
                let policy = changeable(tx, account, &self.policy_arn)?;
                if managed_policy::count_versions(tx, &policy.arn)? >= quota::VERSIONS_PER_POLICY {
                    return Err(Fault::LimitExceeded.because(
                        "A managed policy can have up to 5 versions. Before you create a new version, you must delete an \
                         existing version.",
                    ));
                }
                let number = policy.last_version + 1;
                let default = if self.set_as_default == Some(true) {
                    number
                } else {
                    policy.default_version
                };
                managed_policy::insert_version(tx, &policy.arn, number, &self.policy_document)?;
                managed_policy::set_versions(tx, &policy.arn, default, number)?;
                account::bump(tx, account)?;
                let version = Version {
                    number,
                    document: String::new(),
                    created_at: tx.now(),
                };
                Ok(PolicyVersion::brief(&version, default))
            })
            .await?;
        Ok(CreatedVersion { policy_version })
    }
}

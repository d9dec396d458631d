//! `GetPolicyVersion`.

use serde::{Deserialize, Serialize};

use super::{PolicyVersion, not_found, number};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    iam::managed_policy::{Found, named, on},
    operation::Operation,
    table::managed_policy,
};

/// Tells one version of a policy with its document.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetPolicyVersion {
    policy_arn: String,
    version_id: String,
}

/// The version.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GotVersion {
    policy_version: PolicyVersion,
}

impl Operation for GetPolicyVersion {
    type Output = GotVersion;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        number(&self.version_id)?;
        on(Iam::GetPolicyVersion, scope, &self.policy_arn)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<GotVersion> {
        let wanted = number(&self.version_id)?;
        let policy_version = cx
            .read(permit.grant(), move |tx, grant| {
                let account = grant.registry().account();
                match named(tx, account, &self.policy_arn)? {
                    Found::Aws(policy) if policy.version == wanted => {
                        Ok(PolicyVersion::of_aws(policy))
                    }
                    Found::Aws(policy) => Err(not_found(policy.arn, wanted)),
                    Found::Customer(policy) => {
                        let version = managed_policy::version(tx, &policy.arn, wanted)?;
                        let version = version.ok_or_else(|| not_found(&policy.arn, wanted))?;
                        Ok(PolicyVersion::whole(&version, policy.default_version))
                    }
                }
            })
            .await?;
        Ok(GotVersion { policy_version })
    }
}

//! What an account has: `GetAccountSummary`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::quota;
use crate::{
    authz::{Iam, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::Result,
    operation::Operation,
    table::account::{self, Counts},
};

/// Counts what the account has, beside the quotas.
#[derive(Debug, Deserialize)]
pub struct GetAccountSummary {}

/// The counts and quotas by IAM's names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccountSummary {
    summary_map: BTreeMap<&'static str, i64>,
}

impl Operation for GetAccountSummary {
    type Output = AccountSummary;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let account = scope.registry.account();
        let arn = "*".to_owned();
        Ok(Needs::one(
            Iam::GetAccountSummary,
            Resource::Account { account, arn },
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<AccountSummary> {
        let counts = cx
            .read(permit.grant(), |tx, grant| {
                Ok(account::counts(tx, grant.registry().account())?)
            })
            .await?;
        Ok(AccountSummary {
            summary_map: summary(&counts),
        })
    }
}

/// What this server has none of, such as instance profiles and devices, counts zero.
fn summary(counts: &Counts) -> BTreeMap<&'static str, i64> {
    BTreeMap::from([
        ("Users", counts.users),
        ("UsersQuota", quota::USERS),
        ("Groups", counts.groups),
        ("GroupsQuota", quota::GROUPS),
        ("Roles", counts.roles),
        ("RolesQuota", quota::ROLES),
        ("Policies", counts.policies),
        ("PoliciesQuota", quota::POLICIES),
        ("Providers", counts.providers),
        (
            "AccountAccessKeysPresent",
            i64::from(counts.has_root_access_key),
        ),
        ("AccountMFAEnabled", 0),
        ("AccountSigningCertificatesPresent", 0),
        ("InstanceProfiles", 0),
        ("MFADevices", 0),
        ("MFADevicesInUse", 0),
        ("ServerCertificates", 0),
        ("GroupsPerUserQuota", quota::GROUPS_PER_USER),
        ("AccessKeysPerUserQuota", quota::ACCESS_KEYS_PER_USER),
        ("AttachedPoliciesPerUserQuota", quota::ATTACHED_POLICIES),
        ("AttachedPoliciesPerGroupQuota", quota::ATTACHED_POLICIES),
        ("AttachedPoliciesPerRoleQuota", quota::ATTACHED_POLICIES),
        ("VersionsPerPolicyQuota", quota::VERSIONS_PER_POLICY),
        ("PolicySizeQuota", quota::POLICY_SIZE),
        ("UserPolicySizeQuota", quota::USER_POLICY_SIZE),
        ("GroupPolicySizeQuota", quota::GROUP_POLICY_SIZE),
        ("RolePolicySizeQuota", quota::ROLE_POLICY_SIZE),
        ("AssumeRolePolicySizeQuota", quota::ASSUME_ROLE_POLICY_SIZE),
    ])
}

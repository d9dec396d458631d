//! `ListPolicyVersions`.

use serde::{Deserialize, Serialize};

use super::PolicyVersion;
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    iam::{
        managed_policy::{Found, named, on},
        page::{self, Paging},
    },
    operation::Operation,
    table::managed_policy,
};

/// Tells the versions of a policy, latest first, without their documents.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListPolicyVersions {
    policy_arn: String,
    marker: Option<String>,
    max_items: Option<i64>,
}

/// Versions, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedVersions {
    versions: Vec<PolicyVersion>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

impl Operation for ListPolicyVersions {
    type Output = ListedVersions;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        page::size(self.max_items)?;
        on(Iam::ListPolicyVersions, scope, &self.policy_arn)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedVersions> {
        let account = permit.grant().registry().account();
        let list = format!("ListPolicyVersions {account} {}", self.policy_arn);
        let paging: Paging<i64> =
            Paging::new(cx.core, &list, self.marker.as_deref(), self.max_items)?;
        let after = paging.after.unwrap_or(i64::MAX);
        // There are five at most, so that all are read.
        let rows = cx
            .read(permit.grant(), move |tx, _| {
                Ok(match named(tx, account, &self.policy_arn)? {
                    Found::Aws(policy) => {
                        vec![(policy.version, PolicyVersion::brief_of_aws(policy))]
                    }
                    Found::Customer(policy) => managed_policy::versions(tx, &policy.arn)?
                        .iter()
                        .map(|version| {
                            let told = PolicyVersion::brief(version, policy.default_version);
                            (version.number, told)
                        })
                        .collect(),
                })
            })
            .await?;
        let rows = rows.into_iter().filter(|(number, _)| *number < after);
        let page = paging.page(cx.core, rows.collect(), |(number, _)| *number)?;
        Ok(ListedVersions {
            versions: page.rows.into_iter().map(|(_, version)| version).collect(),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }
}

//! `DescribeOrganization`.

use serde::{Deserialize, Serialize};

use super::{account_arn, arn, management, on};
use crate::{
    authz::{Needs, Organizations, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    operation::Operation,
    table::organization,
};

/// Tells of the organization that the caller's account is in.
#[derive(Clone, Debug, Deserialize)]
pub struct DescribeOrganization {}

/// The organization.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribedOrganization {
    organization: Organization,
}

/// An organization. It has all features and no policies.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Organization {
    id: String,
    arn: String,
    feature_set: &'static str,
    master_account_arn: String,
    master_account_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    master_account_email: String,
    available_policy_types: [(); 0],
}

impl Operation for DescribeOrganization {
    type Output = DescribedOrganization;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        Ok(on(Organizations::DescribeOrganization, scope, None))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<DescribedOrganization> {
        let first = management(cx.core);
        let found = cx
            .read(permit.grant(), move |tx, _| {
                Ok::<_, Error>(organization::account(tx, first)?)
            })
            .await?;
        let id = cx.core.organization.id.clone();
        Ok(DescribedOrganization {
            organization: Organization {
                arn: arn(cx.core, &format!("organization/{id}")),
                id,
                feature_set: "ALL",
                master_account_arn: account_arn(cx.core, first),
                master_account_id: first.to_string(),
                master_account_email: found.map(|first| first.email).unwrap_or_default(),
                available_policy_types: [],
            },
        })
    }
}

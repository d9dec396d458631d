//! `ListPolicies`.

use longshore_store::meta::Tx;
use longshore_types::account::AccountId;
use serde::{Deserialize, Serialize};

use super::{Policy, uses};
use crate::{
    authz::{Iam, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::Result,
    iam::{
        managed, member,
        page::{self, Paging},
    },
    operation::Operation,
    table::{
        identity::name_key,
        managed_policy::{self, Filter},
    },
};

/// Tells managed policies in pages: the account's by name, then AWS's.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListPolicies {
    scope: Option<String>,
    only_attached: Option<bool>,
    path_prefix: Option<String>,
    policy_usage_filter: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
}

/// Policies, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedPolicies {
    policies: Vec<Policy>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

/// Where a page begins: after an account's policy of that name key, or after that ARN of AWS's.
type Place = (bool, String);

impl ListPolicies {
    /// Whether the account's policies are wanted, and AWS's.
    fn sources(&self) -> (bool, bool) {
        match self.scope.as_deref() {
            Some("Local") => (true, false),
            Some("AWS") => (false, true),
            _ => (true, true),
        }
    }

    fn filter(&self) -> Filter {
        let usage = self.policy_usage_filter.as_deref();
        let bounding = usage == Some("PermissionsBoundary");
        Filter {
            prefix: self.path_prefix.clone().unwrap_or_else(|| "/".to_owned()),
            attached: self.only_attached == Some(true) && !bounding,
            bounding,
        }
    }

    fn rows(
        &self,
        tx: &mut dyn Tx,
        account: AccountId,
        after: Option<Place>,
        limit: i64,
    ) -> Result<Vec<(Place, Policy)>> {
        let (customers, aws) = self.sources();
        let filter = self.filter();
        let (past_customers, after) = after.unwrap_or_default();
        let mut rows = Vec::new();
        if customers && !past_customers {
            for row in managed_policy::page(tx, account, &filter, &after, limit)? {
                rows.push(((false, name_key(&row.name)), Policy::of_customer(row)));
            }
        }
        if !aws {
            return Ok(rows);
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        for policy in managed::all() {
            let is_past = past_customers && policy.arn <= after.as_str();
            if rows.len() >= limit || is_past || !policy.path.starts_with(&filter.prefix) {
                continue;
            }
            let uses = uses(tx, account, policy)?;
            if (filter.attached && uses.attached == 0) || (filter.bounding && uses.bounding == 0) {
                continue;
            }
            rows.push(((true, policy.arn.to_owned()), Policy::of_aws(policy, uses)));
        }
        Ok(rows)
    }
}

impl Operation for ListPolicies {
    type Output = ListedPolicies;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        member::one_of("scope", self.scope.as_deref(), &["All", "AWS", "Local"])?;
        let usages = ["PermissionsPolicy", "PermissionsBoundary"];
        member::one_of(
            "policyUsageFilter",
            self.policy_usage_filter.as_deref(),
            &usages,
        )?;
        let prefix = member::path_prefix("pathPrefix", self.path_prefix.as_deref())?;
        page::size(self.max_items)?;
        let account = scope.registry.account();
        let arn = format!("arn:aws:iam::{account}:policy{prefix}");
        Ok(Needs::one(
            Iam::ListPolicies,
            Resource::Account { account, arn },
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedPolicies> {
        let account = permit.grant().registry().account();
        let list = format!(
            "ListPolicies {account} {:?} {:?}",
            self.sources(),
            self.filter()
        );
        let paging: Paging<Place> =
            Paging::new(cx.core, &list, self.marker.as_deref(), self.max_items)?;
        let (after, limit) = (paging.after.clone(), paging.limit());
        let rows = cx
            .read(permit.grant(), move |tx, _| {
                self.rows(tx, account, after, limit)
            })
            .await?;
        let page = paging.page(cx.core, rows, |(place, _)| place.clone())?;
        Ok(ListedPolicies {
            policies: page.rows.into_iter().map(|(_, policy)| policy).collect(),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }
}

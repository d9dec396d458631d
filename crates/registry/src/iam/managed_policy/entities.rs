//! `ListEntitiesForPolicy`.

use serde::{Deserialize, Serialize};

use super::{named, on};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    iam::{
        identity::IdentityKind,
        member,
        page::{self, Paging},
    },
    operation::Operation,
    table::attachment::{self, Filter, Holder},
};

/// Tells who has a policy, and whom it bounds, in pages by kind and name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListEntitiesForPolicy {
    policy_arn: String,
    entity_filter: Option<String>,
    path_prefix: Option<String>,
    policy_usage_filter: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
}

/// Groups, users and roles, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedEntities {
    policy_groups: Vec<PolicyGroup>,
    policy_users: Vec<PolicyUser>,
    policy_roles: Vec<PolicyRole>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyGroup {
    group_name: String,
    group_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyUser {
    user_name: String,
    user_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyRole {
    role_name: String,
    role_id: String,
}

impl ListEntitiesForPolicy {
    /// The kind of entity that is wanted, if not all: policies are attached to no policy.
    fn filter(&self) -> Option<Filter> {
        let usage = self.policy_usage_filter.as_deref();
        let kind = match self.entity_filter.as_deref() {
            None => None,
            Some("User") => Some(IdentityKind::User),
            Some("Role") => Some(IdentityKind::Role),
            Some("Group") => Some(IdentityKind::Group),
            Some(_) => return None,
        };
        Some(Filter {
            prefix: self.path_prefix.clone().unwrap_or_else(|| "/".to_owned()),
            kind,
            attached: usage != Some("PermissionsBoundary"),
            bounding: usage != Some("PermissionsPolicy"),
        })
    }
}

impl Operation for ListEntitiesForPolicy {
    type Output = ListedEntities;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let entities = [
            "User",
            "Role",
            "Group",
            "LocalManagedPolicy",
            "AWSManagedPolicy",
        ];
        member::one_of("entityFilter", self.entity_filter.as_deref(), &entities)?;
        let usages = ["PermissionsPolicy", "PermissionsBoundary"];
        member::one_of(
            "policyUsageFilter",
            self.policy_usage_filter.as_deref(),
            &usages,
        )?;
        member::path_prefix("pathPrefix", self.path_prefix.as_deref())?;
        page::size(self.max_items)?;
        on(Iam::ListEntitiesForPolicy, scope, &self.policy_arn)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedEntities> {
        let account = permit.grant().registry().account();
        let filter = self.filter();
        let list = format!(
            "ListEntitiesForPolicy {account} {} {filter:?}",
            self.policy_arn
        );
        let paging: Paging<String> =
            Paging::new(cx.core, &list, self.marker.as_deref(), self.max_items)?;
        let (after, limit) = (paging.after.clone().unwrap_or_default(), paging.limit());
        let rows = cx
            .read(permit.grant(), move |tx, _| {
                named(tx, account, &self.policy_arn)?;
                Ok(match filter {
                    Some(filter) => {
                        attachment::holders(tx, account, &self.policy_arn, &filter, &after, limit)?
                    }
                    None => Vec::new(),
                })
            })
            .await?;
        let page = paging.page(cx.core, rows, |row| row.place.clone())?;
        let mut listed = ListedEntities {
            policy_groups: Vec::new(),
            policy_users: Vec::new(),
            policy_roles: Vec::new(),
            is_truncated: page.is_truncated,
            marker: page.marker,
        };
        for row in page.rows {
            listed.add(row);
        }
        Ok(listed)
    }
}

impl ListedEntities {
    fn add(&mut self, Holder { kind, id, name, .. }: Holder) {
        match kind {
            IdentityKind::Group => self.policy_groups.push(PolicyGroup {
                group_name: name,
                group_id: id,
            }),
            IdentityKind::User => self.policy_users.push(PolicyUser {
                user_name: name,
                user_id: id,
            }),
            IdentityKind::Role => self.policy_roles.push(PolicyRole {
                role_name: name,
                role_id: id,
            }),
        }
    }
}

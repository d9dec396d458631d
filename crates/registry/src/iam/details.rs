//! `GetAccountAuthorizationDetails`: who there is in an account, with all policies.

mod entity;

use longshore_store::meta::Tx;
use longshore_types::account::AccountId;
use serde::{Deserialize, Serialize};

use self::entity::{GroupDetail, RoleDetail, UserDetail};
use super::{
    identity::IdentityKind,
    managed,
    managed_policy::Policy,
    member,
    page::{self, Paging},
};
use crate::{
    authz::{Iam, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::Result,
    operation::Operation,
    table::{
        attachment::{self, Uses},
        identity::{self, name_key},
        managed_policy::{self, Filter},
        role,
    },
};

const PREFIX: &str = "/";
/// The most that one page tells of: each may have hundreds of kilobytes of policies.
const MOST: usize = 100;
/// The sorts of what is told, by IAM's names and in the order of the pages.
const SORTS: &[&str] = &[
    "User",
    "Group",
    "Role",
    "LocalManagedPolicy",
    "AWSManagedPolicy",
];

/// Tells users, groups, roles and managed policies in pages, one sort after the other; of AWS's policies those in use.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetAccountAuthorizationDetails {
    filter: Option<Vec<String>>,
    marker: Option<String>,
    max_items: Option<i64>,
}

/// What there is, and how to go on.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AuthorizationDetails {
    #[serde(rename = "UserDetailList")]
    users: Vec<UserDetail>,
    #[serde(rename = "GroupDetailList")]
    groups: Vec<GroupDetail>,
    #[serde(rename = "RoleDetailList")]
    roles: Vec<RoleDetail>,
    policies: Vec<Policy>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

/// Where a page begins: after that key in that sort.
type Place = (usize, String);

enum Detail {
    User(UserDetail),
    Group(GroupDetail),
    Role(RoleDetail),
    Policy(Policy),
}

impl GetAccountAuthorizationDetails {
    fn wants(&self, sort: &str) -> bool {
        let filter = self.filter.as_ref().filter(|filter| !filter.is_empty());
        filter.is_none_or(|filter| filter.iter().any(|wanted| wanted == sort))
    }

    fn rows(
        &self,
        tx: &mut dyn Tx,
        account: AccountId,
        after: Option<Place>,
        limit: i64,
    ) -> Result<Vec<(Place, Detail)>> {
        let (first, after) = after.unwrap_or_default();
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut rows = Vec::new();
        for (sort, name) in SORTS.iter().enumerate().skip(first) {
            if rows.len() >= most || !self.wants(name) {
                continue;
            }
            let after = if sort == first { after.as_str() } else { "" };
            let room = i64::try_from(most - rows.len()).unwrap_or(i64::MAX);
            let found = read(tx, account, name, after, room)?;
            rows.extend(found.into_iter().map(|(key, detail)| ((sort, key), detail)));
        }
        Ok(rows)
    }
}

/// Reads up to `limit` of one sort, each with its key.
fn read(
    tx: &mut dyn Tx,
    account: AccountId,
    sort: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, Detail)>> {
    let mut details = Vec::new();
    match sort {
        "User" => {
            for row in identity::page(tx, account, IdentityKind::User, PREFIX, after, limit)? {
                let key = name_key(&row.name);
                details.push((key, Detail::User(UserDetail::read(tx, account, row)?)));
            }
        }
        "Group" => {
            for row in identity::page(tx, account, IdentityKind::Group, PREFIX, after, limit)? {
                let key = name_key(&row.name);
                details.push((key, Detail::Group(GroupDetail::read(tx, account, row)?)));
            }
        }
        "Role" => {
            for row in role::page(tx, account, PREFIX, after, limit)? {
                let key = name_key(&row.identity.name);
                details.push((key, Detail::Role(RoleDetail::read(tx, account, row)?)));
            }
        }
        "LocalManagedPolicy" => {
            let filter = Filter {
                prefix: PREFIX.to_owned(),
                attached: false,
                bounding: false,
            };
            for row in managed_policy::page(tx, account, &filter, after, limit)? {
                let key = name_key(&row.name);
                details.push((key, Detail::Policy(entity::customer_policy(tx, row)?)));
            }
        }
        _ => {
            let most = usize::try_from(limit).unwrap_or(usize::MAX);
            for policy in managed::all().iter().filter(|policy| policy.arn > after) {
                let uses = attachment::uses(tx, account, policy.arn)?;
                if uses != Uses::default() && details.len() < most {
                    let detail = entity::aws_policy(policy, uses);
                    details.push((policy.arn.to_owned(), Detail::Policy(detail)));
                }
            }
        }
    }
    Ok(details)
}

impl Operation for GetAccountAuthorizationDetails {
    type Output = AuthorizationDetails;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        for sort in self.filter.iter().flatten() {
            member::one_of("filter.member", Some(sort), SORTS)?;
        }
        page::size(self.max_items)?;
        let account = scope.registry.account();
        let arn = "*".to_owned();
        Ok(Needs::one(
            Iam::GetAccountAuthorizationDetails,
            Resource::Account { account, arn },
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<AuthorizationDetails> {
        let account = permit.grant().registry().account();
        let wanted: Vec<&str> = SORTS
            .iter()
            .copied()
            .filter(|sort| self.wants(sort))
            .collect();
        let list = format!("GetAccountAuthorizationDetails {account} {wanted:?}");
        let paging: Paging<Place> =
            Paging::new(cx.core, &list, self.marker.as_deref(), self.max_items)?;
        let paging = paging.at_most(MOST);
        let (after, limit) = (paging.after.clone(), paging.limit());
        let rows = cx
            .read(permit.grant(), move |tx, _| {
                self.rows(tx, account, after, limit)
            })
            .await?;
        let page = paging.page(cx.core, rows, |(place, _)| place.clone())?;
        let mut details = AuthorizationDetails {
            is_truncated: page.is_truncated,
            marker: page.marker,
            ..AuthorizationDetails::default()
        };
        for (_, detail) in page.rows {
            match detail {
                Detail::User(user) => details.users.push(user),
                Detail::Group(group) => details.groups.push(group),
                Detail::Role(role) => details.roles.push(role),
                Detail::Policy(policy) => details.policies.push(policy),
            }
        }
        Ok(details)
    }
}

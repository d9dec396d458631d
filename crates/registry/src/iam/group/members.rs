//! `AddUserToGroup`, `RemoveUserFromGroup` and `ListGroupsForUser`.

use longshore_store::meta::Durability;
use serde::Deserialize;

use super::{Group, ListedGroups, named, on};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::{Fault, Result},
    iam::{
        identity::{self, IdentityKind},
        page::{self, Paging},
        quota,
        user::{self, check_name},
    },
    operation::Operation,
    table::{account, group},
};

/// Puts a user into a group, whose policies it then has; nothing changes when it is there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AddUserToGroup {
    group_name: String,
    user_name: String,
}

impl Operation for AddUserToGroup {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_name(&self.user_name)?;
        on(Iam::AddUserToGroup, scope, &self.group_name)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let group = named(tx, account, &self.group_name)?.id;
            let user = user::named(tx, account, &self.user_name)?.id;
            let count = group::count_of(tx, &user)?;
            if group::add(tx, &group, &user)? {
                quota::check("GroupsPerUser", count, quota::GROUPS_PER_USER)?;
                account::bump(tx, account)?;
            }
            Ok(())
        })
        .await
    }
}

/// Takes a user out of a group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RemoveUserFromGroup {
    group_name: String,
    user_name: String,
}

impl Operation for RemoveUserFromGroup {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_name(&self.user_name)?;
        on(Iam::RemoveUserFromGroup, scope, &self.group_name)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let group = named(tx, account, &self.group_name)?;
            let user = user::named(tx, account, &self.user_name)?;
            if !group::remove(tx, &group.id, &user.id)? {
                return Err(Fault::NoSuchEntity
                    .because(format!("User {} not in group {}", user.name, group.name)));
            }
            account::bump(tx, account)?;
            Ok(())
        })
        .await
    }
}

/// Tells the groups that a user is in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListGroupsForUser {
    user_name: String,
    marker: Option<String>,
    max_items: Option<i64>,
}

impl Operation for ListGroupsForUser {
    type Output = ListedGroups;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        page::size(self.max_items)?;
        check_name(&self.user_name)?;
        Ok(identity::on(
            Iam::ListGroupsForUser,
            scope,
            IdentityKind::User,
            &self.user_name,
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedGroups> {
        let account = permit.grant().registry().account();
        let list = format!("ListGroupsForUser {account} {}", self.user_name);
        let paging: Paging<String> =
            Paging::new(cx.core, &list, self.marker.as_deref(), self.max_items)?;
        let (after, limit) = (paging.after.clone().unwrap_or_default(), paging.limit());
        let rows = cx
            .read(permit.grant(), move |tx, _| {
                let user = user::named(tx, account, &self.user_name)?.id;
                Ok(group::of(tx, &user, &after, limit)?)
            })
            .await?;
        let page = paging.page(cx.core, rows, |row| row.id.clone())?;
        let group = |row| Group::new(account, row);
        Ok(ListedGroups {
            groups: page.rows.into_iter().map(group).collect(),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }
}

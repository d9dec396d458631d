//! `GetGroup`.

use serde::{Deserialize, Serialize};

use super::{Group, named, on};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    iam::{
        page::{self, Paging},
        user::User,
    },
    operation::Operation,
    table::group,
};

/// Tells a group and, in pages, who is in it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetGroup {
    group_name: String,
    marker: Option<String>,
    max_items: Option<i64>,
}

/// The group, users in it, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GotGroup {
    group: Group,
    users: Vec<User>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

impl Operation for GetGroup {
    type Output = GotGroup;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        page::size(self.max_items)?;
        on(Iam::GetGroup, scope, &self.group_name)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<GotGroup> {
        let account = permit.grant().registry().account();
        let list = format!("GetGroup {account} {}", self.group_name);
        let paging: Paging<String> =
            Paging::new(cx.core, &list, self.marker.as_deref(), self.max_items)?;
        let (after, limit) = (paging.after.clone().unwrap_or_default(), paging.limit());
        let (group, rows) = cx
            .read(permit.grant(), move |tx, _| {
                let group = named(tx, account, &self.group_name)?;
                let rows = group::members(tx, &group.id, &after, limit)?;
                Ok((group, rows))
            })
            .await?;
        let page = paging.page(cx.core, rows, |row| row.id.clone())?;
        let brief = |row| User::brief(account, row);
        Ok(GotGroup {
            group: Group::new(account, group),
            users: page.rows.into_iter().map(brief).collect(),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }
}

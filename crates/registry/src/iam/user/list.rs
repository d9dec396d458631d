//! `ListUsers`.

use serde::{Deserialize, Serialize};

use super::User;
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    iam::{
        identity::{self, IdentityKind},
        member,
        page::{self, Paging},
    },
    operation::Operation,
    table::identity::{self as identity_row, name_key},
};

/// Tells the users of the account in pages by name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListUsers {
    path_prefix: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
}

/// Users, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedUsers {
    users: Vec<User>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

impl Operation for ListUsers {
    type Output = ListedUsers;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let prefix = member::path_prefix("pathPrefix", self.path_prefix.as_deref())?;
        page::size(self.max_items)?;
        let kind = IdentityKind::User;
        Ok(identity::on_path(Iam::ListUsers, scope, kind, prefix))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedUsers> {
        let account = permit.grant().registry().account();
        let prefix = self.path_prefix.unwrap_or_else(|| "/".to_owned());
        let list = format!("ListUsers {account} {prefix}");
        let paging: Paging<String> =
            Paging::new(cx.core, &list, self.marker.as_deref(), self.max_items)?;
        let (after, limit) = (paging.after.clone().unwrap_or_default(), paging.limit());
        let rows = cx
            .read(permit.grant(), move |tx, _| {
                let kind = IdentityKind::User;
                Ok(identity_row::page(
                    tx, account, kind, &prefix, &after, limit,
                )?)
            })
            .await?;
        let page = paging.page(cx.core, rows, |row| name_key(&row.name))?;
        let brief = |row| User::brief(account, row);
        Ok(ListedUsers {
            users: page.rows.into_iter().map(brief).collect(),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }
}

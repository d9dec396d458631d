//! `ListGroups`.

use serde::Deserialize;

use super::{Group, ListedGroups};
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

/// Tells the groups of the account in pages by name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListGroups {
    path_prefix: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
}

impl Operation for ListGroups {
    type Output = ListedGroups;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let prefix = member::path_prefix("pathPrefix", self.path_prefix.as_deref())?;
        page::size(self.max_items)?;
        let kind = IdentityKind::Group;
        Ok(identity::on_path(Iam::ListGroups, scope, kind, prefix))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedGroups> {
        let account = permit.grant().registry().account();
        let prefix = self.path_prefix.unwrap_or_else(|| "/".to_owned());
        let list = format!("ListGroups {account} {prefix}");
        let paging: Paging<String> =
            Paging::new(cx.core, &list, self.marker.as_deref(), self.max_items)?;
        let (after, limit) = (paging.after.clone().unwrap_or_default(), paging.limit());
        let rows = cx
            .read(permit.grant(), move |tx, _| {
                let kind = IdentityKind::Group;
                Ok(identity_row::page(
                    tx, account, kind, &prefix, &after, limit,
                )?)
            })
            .await?;
        let page = paging.page(cx.core, rows, |row| name_key(&row.name))?;
        let group = |row| Group::new(account, row);
        Ok(ListedGroups {
            groups: page.rows.into_iter().map(group).collect(),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }
}

//! `ListRoles`.

use serde::{Deserialize, Serialize};

use super::Role;
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
    table::{identity::name_key, role},
};

/// The most roles of one page: a trust policy may be 128 KiB of white space.
const MOST: usize = 100;

/// Tells the roles of the account in pages by name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListRoles {
    path_prefix: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
}

/// Roles, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedRoles {
    roles: Vec<Role>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

impl Operation for ListRoles {
    type Output = ListedRoles;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let prefix = member::path_prefix("pathPrefix", self.path_prefix.as_deref())?;
        page::size(self.max_items)?;
        Ok(identity::on_path(
            Iam::ListRoles,
            scope,
            IdentityKind::Role,
            prefix,
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedRoles> {
        let account = permit.grant().registry().account();
        let prefix = self.path_prefix.unwrap_or_else(|| "/".to_owned());
        let list = format!("ListRoles {account} {prefix}");
        let paging: Paging<String> =
            Paging::new(cx.core, &list, self.marker.as_deref(), self.max_items)?;
        let paging = paging.at_most(MOST);
        let (after, limit) = (paging.after.clone().unwrap_or_default(), paging.limit());
        let rows = cx
            .read(permit.grant(), move |tx, _| {
                let rows = role::page(tx, account, &prefix, &after, limit)?;
                let brief = |row| Role::brief(tx, account, row);
                rows.into_iter().map(brief).collect::<Result<Vec<_>>>()
            })
            .await?;
        let page = paging.page(cx.core, rows, |role| name_key(&role.name))?;
        Ok(ListedRoles {
            roles: page.rows,
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }
}

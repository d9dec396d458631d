//! `ListAccessKeys`.

use longshore_types::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Status;
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    iam::{
        holder,
        page::{self, Paging},
    },
    operation::Operation,
    table::access_key,
};

/// Tells the keys of a user, without their secrets.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListAccessKeys {
    user_name: Option<String>,
    marker: Option<String>,
    max_items: Option<i64>,
}

/// Keys, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedAccessKeys {
    access_key_metadata: Vec<Metadata>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    access_key_id: String,
    status: Status,
    create_date: Timestamp,
}

impl Operation for ListAccessKeys {
    type Output = ListedAccessKeys;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        page::size(self.max_items)?;
        holder::on(Iam::ListAccessKeys, scope, self.user_name.as_deref())
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedAccessKeys> {
        let caller = holder::caller(cx);
        let account = permit.grant().registry().account();
        let list = format!("ListAccessKeys {account} {:?}", self.user_name);
        let paging: Paging<String> =
            Paging::new(cx.core, &list, self.marker.as_deref(), self.max_items)?;
        let (after, limit) = (paging.after.clone().unwrap_or_default(), paging.limit());
        let (user_name, rows) = cx
            .read(permit.grant(), move |tx, _| {
                let name = self.user_name.as_deref();
                let holder = holder::find(tx, account, name, caller.as_deref())?;
                let rows = access_key::page(tx, &holder.id(account), &after, limit)?;
                Ok((holder.name(), rows))
            })
            .await?;
        let page = paging.page(cx.core, rows, |row| row.id.clone())?;
        let metadata = |row: access_key::AccessKey| Metadata {
            user_name: user_name.clone(),
            access_key_id: row.id,
            status: Status::of(row.is_active),
            create_date: row.created_at,
        };
        Ok(ListedAccessKeys {
            access_key_metadata: page.rows.into_iter().map(metadata).collect(),
            is_truncated: page.is_truncated,
            marker: page.marker,
        })
    }
}

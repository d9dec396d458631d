//! `ListAccounts`.

use serde::{Deserialize, Serialize};

use super::{Account, check_management, member::paging, on};
use crate::{
    authz::{Needs, Organizations, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    operation::Operation,
    table::organization,
};

/// Tells of all accounts, in order of id.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListAccounts {
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// A page of accounts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedAccounts {
    accounts: Vec<Account>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Operation for ListAccounts {
    type Output = ListedAccounts;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        Ok(on(Organizations::ListAccounts, scope, None))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedAccounts> {
        check_management(cx)?;
        let list = "ListAccounts".to_owned();
        let paging = paging(cx.core, list, self.max_results, self.next_token.as_deref())?;
        let (after, limit) = (paging.after.clone().unwrap_or_default(), paging.limit());
        let mut rows = cx
            .read(permit.grant(), move |tx, _| {
                Ok::<_, Error>(organization::accounts(tx, &after, limit)?)
            })
            .await?;
        let next_token = paging.cut(&cx.core.tokens, &mut rows, |row| row.id.to_string())?;
        let account = |row| Account::of(cx.core, row);
        Ok(ListedAccounts {
            accounts: rows.into_iter().map(account).collect(),
            next_token,
        })
    }
}

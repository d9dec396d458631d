//! `DescribeAccount`.

use serde::Deserialize;

use super::{Account, DescribedAccount, check_management, member::account_id, on};
use crate::{
    authz::{Needs, Organizations, Permit},
    cx::{Cx, Scope},
    error::{Error, Fault, Result},
    operation::Operation,
    table::organization,
};

/// Tells of an account.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeAccount {
    account_id: String,
}

impl Operation for DescribeAccount {
    type Output = DescribedAccount;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        account_id(&self.account_id)?;
        Ok(on(Organizations::DescribeAccount, scope, None))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<DescribedAccount> {
        check_management(cx)?;
        let id = account_id(&self.account_id)?;
        let found = cx
            .read(permit.grant(), move |tx, _| {
                Ok::<_, Error>(organization::account(tx, id)?)
            })
            .await?;
        let found = found.ok_or_else(not_found)?;
        Ok(DescribedAccount {
            account: Account::of(cx.core, found),
        })
    }
}

/// The error of an account that is not there.
pub(super) fn not_found() -> Error {
    Fault::AccountNotFound.because("You specified an account that doesn't exist.")
}

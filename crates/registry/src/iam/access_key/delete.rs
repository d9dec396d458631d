//! `DeleteAccessKey`.

use longshore_store::meta::Durability;
use serde::Deserialize;

use super::{check_id, not_found};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    iam::holder,
    operation::Operation,
    table::{access_key, account},
};

/// Deletes a key, even the one that signs this call: it is the last one that it signs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteAccessKey {
    user_name: Option<String>,
    access_key_id: String,
}

impl Operation for DeleteAccessKey {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_id(&self.access_key_id)?;
        holder::on(Iam::DeleteAccessKey, scope, self.user_name.as_deref())
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        let caller = holder::caller(cx);
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let name = self.user_name.as_deref();
            let owner = holder::find(tx, account, name, caller.as_deref())?.id(account);
            if !access_key::delete(tx, &owner, &self.access_key_id)? {
                return Err(not_found(&self.access_key_id));
            }
            account::bump(tx, account)?;
            Ok(())
        })
        .await
    }
}

//! `UpdateAccessKey`.

use longshore_store::meta::Durability;
use serde::Deserialize;

use super::{check_id, not_found};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::{Fault, Result},
    iam::{holder, member},
    operation::Operation,
    table::{access_key, account},
};

/// Stops a key, or activates it again.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateAccessKey {
    user_name: Option<String>,
    access_key_id: String,
    status: String,
}

impl Operation for UpdateAccessKey {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_id(&self.access_key_id)?;
        let words = ["Active", "Inactive", "Expired"];
        if member::one_of("status", Some(&self.status), &words)? == Some("Expired") {
            return Err(Fault::InvalidInput.because("A key is not set to Expired."));
        }
        holder::on(Iam::UpdateAccessKey, scope, self.user_name.as_deref())
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        let caller = holder::caller(cx);
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let name = self.user_name.as_deref();
            let owner = holder::find(tx, account, name, caller.as_deref())?.id(account);
            let (id, is_active) = (&self.access_key_id, self.status == "Active");
            if !access_key::set_active(tx, &owner, id, is_active)? {
                return Err(not_found(id));
            }
            account::bump(tx, account)?;
            Ok(())
        })
        .await
    }
}

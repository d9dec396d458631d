//! `DeleteUser`.

use longshore_store::meta::{Durability, Tx};
use serde::Deserialize;

use super::{named, on};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::{Fault, Result},
    operation::Operation,
    table::{access_key, account, attachment, group, identity_tag, inline_policy, user},
};

/// Deletes a user who has no keys and no policies and is in no group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteUser {
    user_name: String,
}

impl Operation for DeleteUser {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        on(Iam::DeleteUser, scope, &self.user_name)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let id = named(tx, account, &self.user_name)?.id;
            if let Some(first) = obstacle(tx, &id)? {
                return Err(Fault::DeleteConflict
                    .because(format!("Cannot delete entity, must {first} first.")));
            }
            identity_tag::clear(tx, &id)?;
            user::delete(tx, &id)?;
            account::bump(tx, account)?;
            Ok(())
        })
        .await
    }
}

/// What has to be done before the user can go.
fn obstacle(tx: &mut dyn Tx, id: &str) -> Result<Option<&'static str>> {
    Ok(if access_key::count(tx, id)? > 0 {
        Some("delete access keys")
    } else if attachment::any(tx, id)? {
        Some("detach all policies")
    } else if inline_policy::any(tx, id)? {
        Some("delete policies")
    } else if group::count_of(tx, id)? > 0 {
        Some("remove users from group")
    } else {
        None
    })
}

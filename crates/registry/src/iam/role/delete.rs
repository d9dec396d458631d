//! `DeleteRole`.

use longshore_store::meta::{Durability, Tx};
use longshore_types::account::AccountId;
use serde::Deserialize;

use super::{changeable, check_name};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::{Fault, Result},
    iam::identity::{self, IdentityKind},
    operation::Operation,
    table::{account, attachment, identity_tag, inline_policy, role},
};

/// Deletes a role to which no policy is attached and that has none of its own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteRole {
    role_name: String,
}

impl Operation for DeleteRole {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_name(&self.role_name)?;
        Ok(identity::on(
            Iam::DeleteRole,
            scope,
            IdentityKind::Role,
            &self.role_name,
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let row = changeable(tx, account, &self.role_name)?;
            let id = row.identity.id;
            if attachment::any(tx, &id)? {
                return Err(Fault::DeleteConflict
                    .because("Cannot delete entity, must detach all policies first."));
            }
            if inline_policy::any(tx, &id)? {
                return Err(Fault::DeleteConflict
                    .because("Cannot delete entity, must delete policies first."));
            }
            remove(tx, account, &id)
        })
        .await
    }
}

/// Removes a role with its tags.
pub(super) fn remove(tx: &mut dyn Tx, account: AccountId, id: &str) -> Result<()> {
    identity_tag::clear(tx, id)?;
    role::delete(tx, id)?;
    account::bump(tx, account)?;
    Ok(())
}

//! `DeleteGroup`.

use longshore_store::meta::{Durability, Tx};
use serde::Deserialize;

use super::{named, on};
use crate::{
    authz::{Iam, Needs, Permit},
    cx::{Cx, Scope},
    error::{Fault, Result},
    operation::Operation,
    table::{account, attachment, group, inline_policy},
};

/// Deletes a group that nobody is in and that has no policies.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteGroup {
    group_name: String,
}

impl Operation for DeleteGroup {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        on(Iam::DeleteGroup, scope, &self.group_name)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let id = named(tx, account, &self.group_name)?.id;
            if let Some(first) = obstacle(tx, &id)? {
                return Err(Fault::DeleteConflict
                    .because(format!("Cannot delete entity, must {first} first.")));
            }
            group::delete(tx, &id)?;
            account::bump(tx, account)?;
            Ok(())
        })
        .await
    }
}

/// What has to be done before the group can go.
fn obstacle(tx: &mut dyn Tx, id: &str) -> Result<Option<&'static str>> {
    Ok(if group::has_members(tx, id)? {
        Some("remove users from group")
    } else if attachment::any(tx, id)? {
        Some("detach all policies")
    } else if inline_policy::any(tx, id)? {
        Some("delete policies")
    } else {
        None
    })
}

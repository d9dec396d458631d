//! `UpdateGroup`.

use longshore_store::meta::Durability;
use serde::Deserialize;

use super::{check_name, named, taken};
use crate::{
    authz::{Iam, Needs, Permit, Renamed},
    cx::{Cx, Scope},
    error::Result,
    iam::{
        identity::{self, IdentityKind},
        member,
    },
    operation::Operation,
    table::{account, group, identity as identity_row},
};

/// Gives a group another name or path, and so another ARN; its id, users and policies stay.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateGroup {
    group_name: String,
    new_path: Option<String>,
    new_group_name: Option<String>,
}

impl Operation for UpdateGroup {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_name(&self.group_name)?;
        if let Some(name) = &self.new_group_name {
            member::name("newGroupName", name, member::MAX_NAME)?;
        }
        member::path("newPath", self.new_path.as_deref())?;
        Ok(identity::to_rename(
            Iam::UpdateGroup,
            scope,
            Renamed {
                kind: IdentityKind::Group,
                name: self.group_name.clone(),
                new_path: self.new_path.clone(),
                new_name: self.new_group_name.clone(),
            },
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let mut row = named(tx, account, &self.group_name)?;
            if let Some(name) = &self.new_group_name {
                let other = identity_row::named(tx, account, IdentityKind::Group, name)?;
                if other.is_some_and(|other| other.id != row.id) {
                    return Err(taken(name));
                }
                row.name.clone_from(name);
            }
            if let Some(path) = &self.new_path {
                row.path.clone_from(path);
            }
            group::rename(tx, &row)?;
            account::bump(tx, account)?;
            Ok(())
        })
        .await
    }
}

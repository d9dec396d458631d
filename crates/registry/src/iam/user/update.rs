//! `UpdateUser`.

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
    table::{account, identity as identity_row, user},
};

/// Gives a user another name or path, and so another ARN; its id, keys and policies stay.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateUser {
    user_name: String,
    new_path: Option<String>,
    new_user_name: Option<String>,
}

impl Operation for UpdateUser {
    type Output = ();

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        check_name(&self.user_name)?;
        if let Some(name) = &self.new_user_name {
            member::name("newUserName", name, member::MAX_PRINCIPAL_NAME)?;
        }
        member::path("newPath", self.new_path.as_deref())?;
        Ok(identity::to_rename(
            Iam::UpdateUser,
            scope,
            Renamed {
                kind: IdentityKind::User,
                name: self.user_name.clone(),
                new_path: self.new_path.clone(),
                new_name: self.new_user_name.clone(),
            },
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        cx.change(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            let mut row = named(tx, account, &self.user_name)?;
            if let Some(name) = &self.new_user_name {
                let other = identity_row::named(tx, account, IdentityKind::User, name)?;
                if other.is_some_and(|other| other.id != row.id) {
                    return Err(taken(name));
                }
                row.name.clone_from(name);
            }
            if let Some(path) = &self.new_path {
                row.path.clone_from(path);
            }
            user::rename(tx, account, &row)?;
            account::bump(tx, account)?;
            Ok(())
        })
        .await
    }
}

//! Users: what they are told as, and the operations on them.

mod create;
mod delete;
mod get;
mod list;
mod tags;
mod update;

use longshore_store::meta::Tx;
use longshore_types::{account::AccountId, time::Timestamp};
use serde::Serialize;

pub use self::{
    create::CreateUser,
    delete::DeleteUser,
    get::GetUser,
    list::ListUsers,
    tags::{ListUserTags, TagUser, UntagUser},
    update::UpdateUser,
};
use super::{
    boundary::PermissionsBoundary,
    identity::{self, IdentityKind},
    member,
    tag::Tag,
};
use crate::{
    authz::{Iam, Needs},
    cx::Scope,
    error::{Error, Fault, Result},
    table::{identity::Identity, identity_tag},
};

/// The longest name that an input may look a user up by.
const MAX_KNOWN_NAME: usize = 128;

/// A user, or the root of an account, which has neither name nor path.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
#[serde(rename_all = "PascalCase")]
pub struct User {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    user_id: String,
    arn: String,
    create_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions_boundary: Option<PermissionsBoundary>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Tag>,
}

impl User {
    /// Tells what lists tell of a user.
    pub(crate) fn brief(account: AccountId, row: Identity) -> Self {
        Self {
            arn: IdentityKind::User.arn(account, &row.path, &row.name),
            path: Some(row.path),
            user_name: Some(row.name),
            user_id: row.id,
            create_date: row.created_at,
            permissions_boundary: None,
            tags: Vec::new(),
        }
    }

    /// Tells all of a user.
    fn whole(tx: &mut dyn Tx, account: AccountId, row: Identity) -> Result<Self> {
        Ok(Self {
            tags: Tag::all(identity_tag::all(tx, &row.id)?),
            permissions_boundary: row.boundary.clone().map(PermissionsBoundary::new),
            ..Self::brief(account, row)
        })
    }
}

/// Checks the name of a user that an input is about.
pub(crate) fn check_name(name: &str) -> Result<()> {
    member::name("userName", name, MAX_KNOWN_NAME)
}

/// `action` on a user whom an input names.
fn on(action: Iam, scope: &Scope, name: &str) -> Result<Needs> {
    check_name(name)?;
    Ok(identity::on(action, scope, IdentityKind::User, name))
}

/// Returns the user whom an input names.
pub(crate) fn named(tx: &mut dyn Tx, account: AccountId, name: &str) -> Result<Identity> {
    identity::named(tx, account, IdentityKind::User, name)
}

fn taken(name: &str) -> Error {
    Fault::EntityAlreadyExists.because(format!("User with name {name} already exists."))
}

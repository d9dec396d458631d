//! Groups: what they are told as, and the operations on them.

mod create;
mod delete;
mod get;
mod list;
mod members;
mod update;

use longshore_store::meta::Tx;
use longshore_types::{account::AccountId, time::Timestamp};
use serde::Serialize;

pub use self::{
    create::CreateGroup,
    delete::DeleteGroup,
    get::GetGroup,
    list::ListGroups,
    members::{AddUserToGroup, ListGroupsForUser, RemoveUserFromGroup},
    update::UpdateGroup,
};
use super::{
    identity::{self, IdentityKind},
    member,
};
use crate::{
    authz::{Iam, Needs},
    cx::Scope,
    error::{Error, Fault, Result},
    table::identity::Identity,
};

/// A group.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
#[serde(rename_all = "PascalCase")]
pub struct Group {
    path: String,
    group_name: String,
    group_id: String,
    arn: String,
    create_date: Timestamp,
}

impl Group {
    fn new(account: AccountId, row: Identity) -> Self {
        Self {
            arn: IdentityKind::Group.arn(account, &row.path, &row.name),
            path: row.path,
            group_name: row.name,
            group_id: row.id,
            create_date: row.created_at,
        }
    }
}

/// Groups, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedGroups {
    groups: Vec<Group>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

fn check_name(name: &str) -> Result<()> {
    member::name("groupName", name, member::MAX_NAME)
}

/// `action` on a group that an input names.
fn on(action: Iam, scope: &Scope, name: &str) -> Result<Needs> {
    check_name(name)?;
    Ok(identity::on(action, scope, IdentityKind::Group, name))
}

/// Returns the group that an input names.
fn named(tx: &mut dyn Tx, account: AccountId, name: &str) -> Result<Identity> {
    identity::named(tx, account, IdentityKind::Group, name)
}

fn taken(name: &str) -> Error {
    Fault::EntityAlreadyExists.because(format!("Group with name {name} already exists."))
}

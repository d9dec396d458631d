//! Access keys of users, and of the root of an account.

mod create;
mod delete;
mod last_used;
mod list;
mod update;

use serde::Serialize;

pub use self::{
    create::CreateAccessKey, delete::DeleteAccessKey, last_used::GetAccessKeyLastUsed,
    list::ListAccessKeys, update::UpdateAccessKey,
};
use super::member;
use crate::error::{Error, Fault, Result};

/// Whether a key can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Status {
    /// It can.
    Active,
    /// It is refused until it is active again.
    Inactive,
}

impl Status {
    fn of(is_active: bool) -> Self {
        if is_active {
            Self::Active
        } else {
            Self::Inactive
        }
    }
}

fn check_id(id: &str) -> Result<()> {
    const MEMBER: &str = "accessKeyId";
    member::length(MEMBER, id, 16, 128)?;
    let fits = id
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    member::pattern(MEMBER, id, fits, r"[\w]+")
}

fn not_found(id: &str) -> Error {
    Fault::NoSuchEntity.because(format!("The Access Key with id {id} cannot be found."))
}

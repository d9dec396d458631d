//! An account as Organizations tells of it.

use longshore_types::time::Timestamp;
use serde::Serialize;

use super::account_arn;
use crate::{core::Core, table::organization};

/// An account.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Account {
    id: String,
    arn: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    email: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    status: &'static str,
    state: &'static str,
    paths: Vec<String>,
    joined_method: &'static str,
    joined_timestamp: Timestamp,
}

/// One account.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribedAccount {
    pub(super) account: Account,
}

impl Account {
    /// Tells of an account; the first was there before the organization.
    pub(super) fn of(core: &Core, row: organization::Account) -> Self {
        let is_first = row.id == super::management(core);
        Self {
            id: row.id.to_string(),
            arn: account_arn(core, row.id),
            paths: vec![format!("{}{}/", core.organization.path, row.id)],
            email: row.email,
            name: row.name,
            status: "ACTIVE",
            state: "ACTIVE",
            joined_method: if is_first { "INVITED" } else { "CREATED" },
            joined_timestamp: row.created_at,
        }
    }
}

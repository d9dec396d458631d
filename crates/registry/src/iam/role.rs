//! Roles: what they are told as, and the operations on them.

mod create;
mod delete;
mod get;
mod list;
mod service_linked;
mod tags;
mod update;
mod update_trust;

use longshore_store::meta::Tx;
use longshore_types::{account::AccountId, time::Timestamp};
use serde::Serialize;

pub(crate) use self::service_linked::{insert_service_role, service_role_arn, service_role_needs};
pub use self::{
    create::CreateRole,
    delete::DeleteRole,
    get::GetRole,
    list::ListRoles,
    service_linked::{
        CreateServiceLinkedRole, DeleteServiceLinkedRole, GetServiceLinkedRoleDeletionStatus,
    },
    tags::{ListRoleTags, TagRole, UntagRole},
    update::{UpdateRole, UpdateRoleDescription},
    update_trust::UpdateAssumeRolePolicy,
};
use super::{
    boundary::PermissionsBoundary,
    document,
    identity::{self, IdentityKind},
    member,
    tag::Tag,
};
use crate::{
    error::Result,
    named,
    table::{identity_tag, role},
};

const MAX_DESCRIPTION: usize = 1000;
const MIN_SESSION_SECONDS: i64 = 3600;
const MAX_SESSION_SECONDS: i64 = 43_200;

/// A role.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Role {
    path: String,
    #[serde(rename = "RoleName")]
    name: String,
    #[serde(rename = "RoleId")]
    id: String,
    arn: String,
    create_date: Timestamp,
    assume_role_policy_document: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    max_session_duration: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions_boundary: Option<PermissionsBoundary>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Tag>,
    #[serde(rename = "RoleLastUsed", skip_serializing_if = "Option::is_none")]
    last_used: Option<RoleLastUsed>,
}

/// When and where a role's credentials were used last; empty when they never were.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoleLastUsed {
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_date: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
}

impl RoleLastUsed {
    /// Tells the last use, if there was any.
    pub(crate) fn new(last_used: Option<(Timestamp, String)>) -> Self {
        let (last_used_date, region) = last_used.unzip();
        Self {
            last_used_date,
            region,
        }
    }
}

impl Role {
    /// Tells what lists tell of a role.
    fn brief(tx: &mut dyn Tx, account: AccountId, row: role::Role) -> Result<Self> {
        let trust = named::shown(tx, &row.trust)?;
        let identity = row.identity;
        Ok(Self {
            arn: IdentityKind::Role.arn(account, &identity.path, &identity.name),
            path: identity.path,
            name: identity.name,
            id: identity.id,
            create_date: identity.created_at,
            assume_role_policy_document: document::encoded(&trust),
            description: Some(row.description).filter(|text| !text.is_empty()),
            max_session_duration: row.max_session_seconds,
            permissions_boundary: None,
            tags: Vec::new(),
            last_used: None,
        })
    }

    /// Tells all of a role.
    fn whole(tx: &mut dyn Tx, account: AccountId, row: role::Role) -> Result<Self> {
        let tags = identity_tag::all(tx, &row.identity.id)?;
        Ok(Self {
            permissions_boundary: row.identity.boundary.clone().map(PermissionsBoundary::new),
            tags: Tag::all(tags),
            last_used: Some(RoleLastUsed::new(row.last_used.clone())),
            ..Self::brief(tx, account, row)?
        })
    }
}

/// Returns the role that an input names.
fn find(tx: &mut dyn Tx, account: AccountId, name: &str) -> Result<role::Role> {
    let found = role::named(tx, account, name)?;
    found.ok_or_else(|| identity::not_found(IdentityKind::Role, name))
}

/// Returns the role that an input wants to change, which is not a service's own.
fn changeable(tx: &mut dyn Tx, account: AccountId, name: &str) -> Result<role::Role> {
    identity::changeable(tx, account, IdentityKind::Role, name)?;
    find(tx, account, name)
}

pub(crate) fn check_name(name: &str) -> Result<()> {
    identity::check_name(IdentityKind::Role, name)
}

fn check_description(description: Option<&String>) -> Result<()> {
    let Some(text) = description else {
        return Ok(());
    };
    member::length("description", text, 0, MAX_DESCRIPTION)?;
    let fits = text
        .chars()
        .all(|letter| matches!(letter, '\t' | '\n' | '\r' | ' '..='~' | '\u{a1}'..='\u{ff}'));
    let pattern = r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*";
    member::pattern("description", text, fits, pattern)
}

fn check_session_seconds(seconds: Option<i64>) -> Result<()> {
    let Some(seconds) = seconds else {
        return Ok(());
    };
    let refuse = |bound: String| {
        Err(member::invalid(
            "maxSessionDuration",
            &seconds.to_string(),
            bound,
        ))
    };
    if seconds < MIN_SESSION_SECONDS {
        return refuse(format!(
            "Member must have value greater than or equal to {MIN_SESSION_SECONDS}"
        ));
    }
    if seconds > MAX_SESSION_SECONDS {
        return refuse(format!(
            "Member must have value less than or equal to {MAX_SESSION_SECONDS}"
        ));
    }
    Ok(())
}

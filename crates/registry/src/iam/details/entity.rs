//! What is told of one user, group, role or managed policy.

use longshore_store::meta::Tx;
use longshore_types::{account::AccountId, time::Timestamp};
use serde::Serialize;

use crate::{
    error::Result,
    iam::{
        attachment::AttachedPolicy,
        boundary::PermissionsBoundary,
        document,
        identity::IdentityKind,
        managed::AwsPolicy,
        managed_policy::{Policy, PolicyVersion},
        quota,
        role::RoleLastUsed,
        tag::Tag,
    },
    named,
    table::{
        attachment::{self, Uses},
        group,
        identity::Identity,
        identity_tag, inline_policy,
        managed_policy::{self, ManagedPolicy},
        role::Role,
    },
};

/// A policy of a user, group or role itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct InlinePolicy {
    policy_name: String,
    policy_document: String,
}

fn inline(tx: &mut dyn Tx, holder: &str) -> Result<Vec<InlinePolicy>> {
    let tell = |(name, document): (String, String)| InlinePolicy {
        policy_name: name,
        policy_document: document::encoded(&document),
    };
    let policies = inline_policy::all(tx, holder)?;
    Ok(policies.into_iter().map(tell).collect())
}

fn attached(tx: &mut dyn Tx, holder: &str) -> Result<Vec<AttachedPolicy>> {
    let arns = attachment::of(tx, holder)?;
    Ok(arns.into_iter().map(AttachedPolicy::new).collect())
}

fn tags(tx: &mut dyn Tx, holder: &str) -> Result<Vec<Tag>> {
    Ok(Tag::all(identity_tag::all(tx, holder)?))
}

/// A user.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UserDetail {
    path: String,
    user_name: String,
    user_id: String,
    arn: String,
    create_date: Timestamp,
    user_policy_list: Vec<InlinePolicy>,
    group_list: Vec<String>,
    attached_managed_policies: Vec<AttachedPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions_boundary: Option<PermissionsBoundary>,
    tags: Vec<Tag>,
}

impl UserDetail {
    pub(super) fn read(tx: &mut dyn Tx, account: AccountId, row: Identity) -> Result<Self> {
        let groups = group::of(tx, &row.id, "", quota::GROUPS_PER_USER)?;
        Ok(Self {
            arn: IdentityKind::User.arn(account, &row.path, &row.name),
            user_policy_list: inline(tx, &row.id)?,
            group_list: groups.into_iter().map(|group| group.name).collect(),
            attached_managed_policies: attached(tx, &row.id)?,
            permissions_boundary: row.boundary.map(PermissionsBoundary::new),
            tags: tags(tx, &row.id)?,
            path: row.path,
            user_name: row.name,
            user_id: row.id,
            create_date: row.created_at,
        })
    }
}

/// A group.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GroupDetail {
    path: String,
    group_name: String,
    group_id: String,
    arn: String,
    create_date: Timestamp,
    group_policy_list: Vec<InlinePolicy>,
    attached_managed_policies: Vec<AttachedPolicy>,
}

impl GroupDetail {
    pub(super) fn read(tx: &mut dyn Tx, account: AccountId, row: Identity) -> Result<Self> {
        Ok(Self {
            arn: IdentityKind::Group.arn(account, &row.path, &row.name),
            group_policy_list: inline(tx, &row.id)?,
            attached_managed_policies: attached(tx, &row.id)?,
            path: row.path,
            group_name: row.name,
            group_id: row.id,
            create_date: row.created_at,
        })
    }
}

/// A role.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RoleDetail {
    path: String,
    #[serde(rename = "RoleName")]
    name: String,
    #[serde(rename = "RoleId")]
    id: String,
    arn: String,
    create_date: Timestamp,
    assume_role_policy_document: String,
    /// There are no machines that a role could be given to.
    instance_profile_list: [(); 0],
    #[serde(rename = "RolePolicyList")]
    policies: Vec<InlinePolicy>,
    attached_managed_policies: Vec<AttachedPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions_boundary: Option<PermissionsBoundary>,
    tags: Vec<Tag>,
    #[serde(rename = "RoleLastUsed")]
    last_used: RoleLastUsed,
}

impl RoleDetail {
    pub(super) fn read(tx: &mut dyn Tx, account: AccountId, row: Role) -> Result<Self> {
        let identity = row.identity;
        Ok(Self {
            arn: IdentityKind::Role.arn(account, &identity.path, &identity.name),
            assume_role_policy_document: document::encoded(&named::shown(tx, &row.trust)?),
            instance_profile_list: [],
            policies: inline(tx, &identity.id)?,
            attached_managed_policies: attached(tx, &identity.id)?,
            permissions_boundary: identity.boundary.map(PermissionsBoundary::new),
            tags: tags(tx, &identity.id)?,
            last_used: RoleLastUsed::new(row.last_used),
            path: identity.path,
            name: identity.name,
            id: identity.id,
            create_date: identity.created_at,
        })
    }
}

/// Tells a customer's policy with its versions.
pub(super) fn customer_policy(tx: &mut dyn Tx, row: ManagedPolicy) -> Result<Policy> {
    let versions = managed_policy::versions(tx, &row.arn)?;
    let tell = |version| PolicyVersion::whole(version, row.default_version);
    let versions = versions.iter().map(tell).collect();
    Ok(Policy::of_customer(row).with_versions(versions))
}

/// Tells a policy of AWS with its version.
pub(super) fn aws_policy(policy: &AwsPolicy, uses: Uses) -> Policy {
    Policy::of_aws(policy, uses).with_versions(vec![PolicyVersion::of_aws(policy)])
}

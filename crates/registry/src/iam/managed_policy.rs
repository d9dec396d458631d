//! Managed policies, customers' and AWS's: what they are told as, and the operations on them.

mod create;
mod delete;
mod entities;
mod get;
mod list;
mod tags;
mod version;

use longshore_store::meta::Tx;
use longshore_types::{account::AccountId, arn::Arn, time::Timestamp};
use serde::Serialize;

pub use self::{
    create::CreatePolicy,
    delete::DeletePolicy,
    entities::ListEntitiesForPolicy,
    get::GetPolicy,
    list::ListPolicies,
    tags::{ListPolicyTags, TagPolicy, UntagPolicy},
    version::{
        CreatePolicyVersion, DeletePolicyVersion, GetPolicyVersion, ListPolicyVersions,
        PolicyVersion, SetDefaultPolicyVersion,
    },
};
use super::{
    managed::{self, AwsPolicy},
    member,
    tag::Tag,
};
use crate::{
    authz::{Iam, Needs, Resource},
    cx::{Cx, Scope},
    error::{Error, Fault, Result},
    principal::Caller,
    table::{
        attachment::{self, Uses},
        managed_policy::{self, ManagedPolicy},
    },
};

/// A managed policy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    #[serde(rename = "PolicyName")]
    name: String,
    #[serde(rename = "PolicyId")]
    id: String,
    arn: String,
    path: String,
    default_version_id: String,
    attachment_count: i64,
    permissions_boundary_usage_count: i64,
    is_attachable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    create_date: Timestamp,
    update_date: Timestamp,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Tag>,
    /// Told by `GetAccountAuthorizationDetails` alone.
    #[serde(rename = "PolicyVersionList", skip_serializing_if = "Vec::is_empty")]
    versions: Vec<PolicyVersion>,
}

impl Policy {
    /// Tells the versions, too.
    pub(crate) fn with_versions(self, versions: Vec<PolicyVersion>) -> Self {
        Self { versions, ..self }
    }

    /// Tells what lists tell of a customer's policy.
    pub(crate) fn of_customer(row: ManagedPolicy) -> Self {
        Self {
            name: row.name,
            id: row.id,
            arn: row.arn,
            path: row.path,
            default_version_id: version_id(row.default_version),
            attachment_count: row.uses.attached,
            permissions_boundary_usage_count: row.uses.bounding,
            is_attachable: true,
            description: Some(row.description).filter(|text| !text.is_empty()),
            create_date: row.created_at,
            update_date: row.updated_at,
            tags: Vec::new(),
            versions: Vec::new(),
        }
    }

    /// Tells what lists tell of a policy of AWS.
    pub(crate) fn of_aws(policy: &AwsPolicy, uses: Uses) -> Self {
        Self {
            name: policy.name.to_owned(),
            id: policy.id(),
            arn: policy.arn.to_owned(),
            path: policy.path.to_owned(),
            default_version_id: version_id(policy.version),
            attachment_count: uses.attached,
            permissions_boundary_usage_count: uses.bounding,
            is_attachable: true,
            description: Some(policy.description.to_owned()),
            create_date: policy.created_at(),
            update_date: policy.updated_at(),
            tags: Vec::new(),
            versions: Vec::new(),
        }
    }
}

/// A managed policy that there is.
pub(crate) enum Found {
    Aws(&'static AwsPolicy),
    Customer(ManagedPolicy),
}

/// Returns the policy of that ARN, of `account` or of AWS, if there is one.
pub(crate) fn find(tx: &mut dyn Tx, account: AccountId, arn: &str) -> Result<Option<Found>> {
    if let Some(policy) = managed::find(arn) {
        return Ok(Some(Found::Aws(policy)));
    }
    if owner(arn)? != Some(account) {
        return Ok(None);
    }
    Ok(managed_policy::by_arn(tx, arn)?.map(Found::Customer))
}

/// Returns the policy that an input names.
fn named(tx: &mut dyn Tx, account: AccountId, arn: &str) -> Result<Found> {
    find(tx, account, arn)?.ok_or_else(|| not_found(arn))
}

/// Returns the policy that an input wants to change, which is a customer's.
fn changeable(tx: &mut dyn Tx, account: AccountId, arn: &str) -> Result<ManagedPolicy> {
    match find(tx, account, arn)? {
        Some(Found::Customer(policy)) => Ok(policy),
        Some(Found::Aws(_)) | None => Err(not_found(arn)),
    }
}

fn not_found(arn: &str) -> Error {
    Fault::NoSuchEntity.because(format!("Policy {arn} was not found."))
}

/// The account that the ARN of a policy names; nothing for AWS's own.
fn owner(arn: &str) -> Result<Option<AccountId>> {
    let parsed: Option<Arn> = arn.parse().ok();
    let policy = parsed.filter(|arn| {
        let is_policy = arn.resource().starts_with("policy/");
        let is_owned = arn.account() == "aws" || arn.account_id().is_some();
        arn.partition() == "aws"
            && arn.service() == "iam"
            && arn.region().is_empty()
            && is_policy
            && is_owned
    });
    let policy =
        policy.ok_or_else(|| Fault::InvalidInput.because(format!("ARN {arn} is not valid.")))?;
    Ok(policy.account_id())
}

/// `action` on the policy that an input names.
fn on(action: Iam, scope: &Scope, arn: &str) -> Result<Needs> {
    member::arn("policyArn", arn)?;
    let account = owner(arn)?.unwrap_or(scope.registry.account());
    let arn = arn.to_owned();
    Ok(Needs::one(action, Resource::Account { account, arn }))
}

/// Refuses to change a policy of AWS's, whoever asks.
fn refuse_aws(cx: &Cx<'_>, action: Iam, arn: &str) -> Result<()> {
    if owner(arn)?.is_some() {
        return Ok(());
    }
    let Caller::Known(known) = &cx.caller else {
        return Err(Error::AuthenticationRequired);
    };
    Err(Error::denied(format!(
        "User: {} is not authorized to perform: {} on resource: policy {arn}",
        known.arn,
        action.name()
    )))
}

/// How IAM writes the number of a version.
fn version_id(number: i64) -> String {
    format!("v{number}")
}

/// Returns how often a policy is used in an account.
fn uses(tx: &mut dyn Tx, account: AccountId, policy: &AwsPolicy) -> Result<Uses> {
    Ok(attachment::uses(tx, account, policy.arn)?)
}

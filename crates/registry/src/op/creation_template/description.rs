//! How the API tells a template.

use longshore_store::meta::Tx;
use longshore_types::{
    account::AccountId, arn::PrincipalArn, mutability::ImageTagMutability, name::TemplatePrefix,
    time::Timestamp,
};
use serde::Serialize;

use crate::{
    authz::Grant,
    creation::AppliedFor,
    error::Result,
    named,
    op::{
        repository::{
            EncryptionConfiguration, ImageTagMutabilityExclusionFilter, exclusion_filters,
        },
        resource::Tag,
    },
    table::creation_template::CreationTemplate,
};

/// A template as the API tells it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryCreationTemplate {
    prefix: TemplatePrefix,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    encryption_configuration: EncryptionConfiguration,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resource_tags: Vec<Tag>,
    image_tag_mutability: ImageTagMutability,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_tag_mutability_exclusion_filters: Vec<ImageTagMutabilityExclusionFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository_policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifecycle_policy: Option<String>,
    applied_for: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_role_arn: Option<PrincipalArn>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl RepositoryCreationTemplate {
    /// Tells a stored template; its policy names whom it means as they are called now.
    pub(super) fn of(tx: &mut dyn Tx, row: CreationTemplate) -> Result<Self> {
        let policy = row.policy.map(|policy| named::shown(tx, &policy));
        let applied_for = row.applied_for.into_iter().map(AppliedFor::as_str);
        Ok(Self {
            prefix: row.prefix,
            description: row.description,
            encryption_configuration: EncryptionConfiguration::of_this_server(),
            resource_tags: row.tags.into_iter().map(Tag::new).collect(),
            image_tag_mutability: row.mutability.setting(),
            image_tag_mutability_exclusion_filters: exclusion_filters(&row.mutability),
            repository_policy: policy.transpose()?,
            lifecycle_policy: row.lifecycle_policy,
            applied_for: applied_for.collect(),
            custom_role_arn: row.custom_role,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// A template, and the registry that it is in.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryTemplate {
    registry_id: AccountId,
    repository_creation_template: RepositoryCreationTemplate,
}

impl RegistryTemplate {
    /// Tells a template of the registry of `grant`.
    pub(super) fn of(tx: &mut dyn Tx, grant: &Grant, row: CreationTemplate) -> Result<Self> {
        Ok(Self {
            registry_id: grant.registry().account(),
            repository_creation_template: RepositoryCreationTemplate::of(tx, row)?,
        })
    }
}

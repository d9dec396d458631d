//! How the API tells a repository.

use longshore_types::{
    account::{AccountId, RegistryKind},
    alias::RegistryAlias,
    arn::RepositoryArn,
    mutability::{ExclusionFilter, ImageTagMutability, TagMutability},
    name::RepositoryName,
};
use serde::Serialize;

use crate::{endpoints::Endpoints, table::repository};

/// A repository as the API tells it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
pub struct Repository {
    repository_arn: RepositoryArn,
    registry_id: AccountId,
    repository_name: RepositoryName,
    repository_uri: String,
    created_at: f64,
    #[serde(flatten)]
    settings: Option<Settings>,
}

/// What only private repositories have.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    image_tag_mutability: ImageTagMutability,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_tag_mutability_exclusion_filters: Vec<ImageTagMutabilityExclusionFilter>,
    image_scanning_configuration: ImageScanningConfiguration,
    encryption_configuration: EncryptionConfiguration,
}

/// A filter on tags that are excluded from a repository's mutability.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageTagMutabilityExclusionFilter {
    filter_type: &'static str,
    filter: ExclusionFilter,
}

/// Whether a push asks for a scan.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageScanningConfiguration {
    scan_on_push: bool,
}

/// How a repository's contents are encrypted: always by keys of this server.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EncryptionConfiguration {
    encryption_type: &'static str,
}

impl EncryptionConfiguration {
    pub(in crate::op) const fn of_this_server() -> Self {
        Self {
            encryption_type: "AES256",
        }
    }
}

impl Repository {
    /// Tells a repository; one of a public registry by the `alias` of that.
    pub(crate) fn describe(
        row: &repository::Repository,
        endpoints: &Endpoints,
        alias: Option<&RegistryAlias>,
    ) -> Self {
        let uri = match alias {
            Some(alias) => format!("{}/{}", endpoints.public_uri(alias), row.name),
            None => endpoints.repository_uri(&row.registry, &row.name),
        };
        let is_private = row.registry.kind() == RegistryKind::Private;
        Self {
            repository_arn: RepositoryArn::new(row.registry, row.name.clone()),
            registry_id: row.registry.account(),
            repository_name: row.name.clone(),
            repository_uri: uri,
            created_at: row.created_at.as_epoch_seconds(),
            settings: is_private.then(|| Settings::of(row)),
        }
    }
}

impl Settings {
    fn of(row: &repository::Repository) -> Self {
        Self {
            image_tag_mutability: row.mutability.setting(),
            image_tag_mutability_exclusion_filters: exclusion_filters(&row.mutability),
            image_scanning_configuration: ImageScanningConfiguration {
                scan_on_push: row.scan_on_push,
            },
            encryption_configuration: EncryptionConfiguration::of_this_server(),
        }
    }
}

pub(in crate::op) fn exclusion_filters(
    mutability: &TagMutability,
) -> Vec<ImageTagMutabilityExclusionFilter> {
    let filters = mutability.filters().iter().cloned();
    filters
        .map(|filter| ImageTagMutabilityExclusionFilter {
            filter_type: "WILDCARD",
            filter,
        })
        .collect()
}

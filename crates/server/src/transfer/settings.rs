//! What a repository is made with, beside its images: members of ECR's `DescribeRepositories` and `CreateRepository`, which
//! `longshore.json` of an exported layout keeps.

use longshore_types::name::RepositoryName;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A repository and its settings; what is not told is left to the registry that makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    /// The name.
    pub(crate) repository_name: RepositoryName,
    /// `MUTABLE` and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image_tag_mutability: Option<Value>,
    /// Tags that are excluded from that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image_tag_mutability_exclusion_filters: Option<Value>,
    /// Whether pushes are scanned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image_scanning_configuration: Option<Value>,
}

impl Settings {
    /// A repository of which nothing but its name is known.
    pub(crate) const fn of(repository_name: RepositoryName) -> Self {
        Self {
            repository_name,
            image_tag_mutability: None,
            image_tag_mutability_exclusion_filters: None,
            image_scanning_configuration: None,
        }
    }

    /// The same for a repository of another name.
    pub(crate) fn named(&self, repository_name: RepositoryName) -> Self {
        Self {
            repository_name,
            ..self.clone()
        }
    }
}

/// `longshore.json` of a layout.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SideFile {
    /// The repositories that are in the layout whole or in part.
    pub(crate) repositories: Vec<Settings>,
}

//! How the API tells a copy of a repository, and how it is named.

use longshore_types::{
    account::AccountId, arn::RepositoryArn, id::CopyId, name::RepositoryName, time::Timestamp,
};
use serde::Serialize;

use crate::{
    authz::{Longshore, Needs, Resource},
    cx::Scope,
    error::{Error, Result},
    member::Member,
    table::repository_copy::{self as table, Kind, Named, Phase},
};

/// A copy or move of a repository.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryCopy {
    copy_id: CopyId,
    copy_type: &'static str,
    status: &'static str,
    /// What it is doing, while it is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<&'static str>,
    source_repository_arn: RepositoryArn,
    target_repository_arn: RepositoryArn,
    /// How many images the source had when it began.
    image_count: i64,
    copied_image_count: i64,
    /// How many bytes of layers were written anew: none within an encryption domain.
    copied_bytes: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    started_at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<f64>,
}

/// One copy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryCopyAnswer {
    repository_copy: RepositoryCopy,
}

impl From<table::RepositoryCopy> for RepositoryCopyAnswer {
    fn from(copy: table::RepositoryCopy) -> Self {
        Self {
            repository_copy: copy.into(),
        }
    }
}

impl From<table::RepositoryCopy> for RepositoryCopy {
    fn from(copy: table::RepositoryCopy) -> Self {
        let (status, phase) = told(copy.phase);
        let arn = |named: Named| RepositoryArn::new(named.registry, named.name);
        Self {
            copy_id: copy.id,
            copy_type: match copy.kind {
                Kind::Copy => "COPY",
                Kind::Move => "MOVE",
            },
            status,
            phase,
            source_repository_arn: arn(copy.from),
            target_repository_arn: arn(copy.to),
            image_count: copy.total,
            copied_image_count: copy.images,
            copied_bytes: copy.bytes,
            failure_reason: copy.failure,
            started_at: copy.started_at.as_epoch_seconds(),
            ended_at: copy.ended_at.map(Timestamp::as_epoch_seconds),
        }
    }
}

fn told(phase: Phase) -> (&'static str, Option<&'static str>) {
    match phase {
        Phase::Images => ("IN_PROGRESS", Some("IMAGES")),
        Phase::Tags => ("IN_PROGRESS", Some("TAGS")),
        Phase::CheckImages | Phase::CheckTags => ("IN_PROGRESS", Some("VERIFICATION")),
        Phase::Changes => ("IN_PROGRESS", Some("CHANGES")),
        Phase::Complete => ("COMPLETE", None),
        Phase::Failed => ("FAILED", None),
        Phase::Cancelled => ("CANCELLED", None),
    }
}

/// The name that copies are asked for by: that of their source, which may be gone by now.
pub(super) fn source(
    scope: &Scope,
    registry_id: &Member<AccountId>,
    repository_name: &Member<RepositoryName>,
) -> Result<Named> {
    Ok(Named {
        registry: scope.registry_of(registry_id.optional("registryId")?),
        name: repository_name.required("repositoryName")?,
    })
}

/// `action` on that name.
pub(super) fn on_source(action: Longshore, source: Named) -> Needs {
    let resource = Resource::FormerRepository(source.registry, source.name);
    Needs::one(action, resource)
}

/// The error for a copy that was not begun from that name, or that is forgotten.
pub(super) fn unknown() -> Error {
    Error::invalid("copyId", "There is no such copy of the repository")
}

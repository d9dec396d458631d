//! The operations of ECR's JSON API: one file each, holding the wire input, which is the operation, and the output.
//!
//! Inputs are read by serde and checked where they are asked for, so that a bad member gets ECR's own error.
//! What the API and `/v2` share lives in [`crate::storage`].

pub mod creation_template;
mod digest;
pub mod image;
pub mod layer;
pub mod lifecycle;
mod policy;
pub mod registry;
pub mod repository;
pub mod resource;

use longshore_types::{
    account::{AccountId, Registry, RegistryKind},
    name::RepositoryName,
};

use crate::{
    authz::{Action, Needs},
    cx::Scope,
    error::{Error, Result},
    member::Member,
};

/// `action` on the repository that most inputs name by these two members.
pub(crate) fn on_repository(
    action: impl Into<Action>,
    scope: &Scope,
    registry_id: &Member<AccountId>,
    repository_name: &Member<RepositoryName>,
) -> Result<Needs> {
    let registry = scope.registry_of(registry_id.optional("registryId")?);
    let name = name_in(&registry, "repositoryName", repository_name)?;
    Ok(Needs::repository(action, registry, &name))
}

/// The name that `member` has, which must be one that the registry can have: ECR Public takes fewer.
pub(crate) fn name_in(
    registry: &Registry,
    member: &str,
    name: &Member<RepositoryName>,
) -> Result<RepositoryName> {
    const PUBLIC: &str = "(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*";
    let name = name.required(member)?;
    match registry.kind() {
        RegistryKind::Public if !name.is_public_form() => {
            let what = format!("must satisfy regular expression '{PUBLIC}'");
            Err(Error::invalid(member, what))
        }
        RegistryKind::Private | RegistryKind::Public => Ok(name),
    }
}

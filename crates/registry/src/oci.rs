//! The operations of OCI distribution 1.1 (`/v2`), as values; `server` parses and prints them.

pub mod blob;
pub mod catalog;
pub mod manifest;
pub mod referrers;
pub mod tags;
pub mod upload;

use longshore_types::{account::Registry, name::RepositoryName};

use crate::{
    authz::{Action, Ecr, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::Result,
    operation::Operation,
};

/// The repository that a request names.
#[derive(Clone, Debug)]
pub struct Repository {
    /// The registry asked.
    pub registry: Registry,
    /// The repository's name in it.
    pub name: RepositoryName,
}

impl Repository {
    /// What an operation needs that does `action` to it.
    fn needs(&self, action: impl Into<Action>) -> Needs {
        Needs::repository(action, self.registry, &self.name)
    }
}

/// `GET /v2/`: any known caller may, who got a password once.
#[derive(Debug)]
pub struct Ping;

impl Operation for Ping {
    type Output = ();

    fn needs(&self, _: &Scope) -> Result<Needs> {
        Ok(Needs::one(Ecr::GetAuthorizationToken, Resource::Caller).uncounted())
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        cx.read(permit.grant(), |_, _| Ok(())).await
    }
}

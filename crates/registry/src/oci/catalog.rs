//! The repositories of a registry.

use longshore_types::account::Registry;

use super::tags::{Names, check_page, page_of};
use crate::{
    authz::{Ecr, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::{Error, Result},
    operation::Operation,
    table::repository,
};

/// `GET /v2/_catalog`.
#[derive(Debug)]
pub struct Catalog {
    /// The registry asked.
    pub registry: Registry,
    /// The last name of the page before, or empty.
    pub last: String,
    /// At most so many.
    pub n: usize,
}

impl Operation for Catalog {
    type Output = Names;

    fn needs(&self, _: &Scope) -> Result<Needs> {
        check_page(self.n)?;
        Ok(Needs::one(
            Ecr::DescribeRepositories,
            Resource::Repositories(self.registry),
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<Names> {
        let limit = i64::try_from(self.n + 1).map_err(Error::internal)?;
        let last = self.last;
        let found = cx
            .read(permit.grant(), move |tx, grant| {
                Ok(repository::page(tx, grant.registry(), &last, limit)?)
            })
            .await?;
        Ok(page_of(
            found
                .into_iter()
                .map(|repository| repository.name.to_string())
                .collect(),
            self.n,
        ))
    }
}

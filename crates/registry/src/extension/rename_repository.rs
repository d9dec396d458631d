//! `RenameRepository`.

use longshore_store::meta::Durability;
use longshore_types::{account::AccountId, name::RepositoryName};
use serde::{Deserialize, Serialize};

use super::repository_copy::source;
use crate::{
    authz::{self, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::Member,
    op::repository::Repository,
    operation::Operation,
    storage::copy::{Deed, Deeds, needs},
    table::{repository, repository_copy::Named, repository_tag},
};

/// Gives a repository another name in its registry, at once. All that it has stays, uploads under way included; the old name
/// is free.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RenameRepository {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    new_repository_name: Member<RepositoryName>,
}

/// The repository under its new name.
#[derive(Debug, Serialize)]
pub struct RenamedRepository {
    repository: Repository,
}

impl Operation for RenameRepository {
    type Output = RenamedRepository;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        Ok(needs(&self.deeds(scope)?, &[]))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RenamedRepository> {
        let deeds = self.deeds(&cx.scope)?;
        let tags = cx
            .read(permit.grant(), |tx, grant| {
                Ok(repository_tag::all(tx, grant.repository()?.incarnation)?)
            })
            .await?;
        let permit: Permit<Self> = authz::authorize(cx, needs(&deeds, &tags)).await?;
        let name = deeds.to.name.clone();
        let row = cx
            .change(permit.grant(), Durability::Durable, move |tx, grant| {
                let row = grant.repository()?;
                if repository_tag::all(tx, row.incarnation)? != tags {
                    // It was decided on the tags that it had; whoever tries again is asked about those that it has now.
                    return Err(Error::Unavailable);
                }
                if repository::rename(tx, row.incarnation, &name)? {
                    let name = name.clone();
                    return Ok(repository::Repository {
                        name,
                        ..repository::Repository::clone(row)
                    });
                }
                Err(Error::RepositoryAlreadyExists {
                    name: name.clone(),
                    account: row.registry.account(),
                })
            })
            .await?;
        for named in [&deeds.from, &deeds.to] {
            cx.core.targets.forget(&named.registry, &named.name);
        }
        Ok(RenamedRepository {
            repository: Repository::describe(&row, cx.endpoints, None),
        })
    }
}

impl RenameRepository {
    fn deeds(&self, scope: &Scope) -> Result<Deeds> {
        let from = source(scope, &self.registry_id, &self.repository_name)?;
        let to = Named {
            registry: from.registry,
            name: self.new_repository_name.required("newRepositoryName")?,
        };
        Ok(Deeds {
            deed: Deed::Rename,
            from,
            to,
        })
    }
}

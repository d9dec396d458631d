//! `DeleteRepository`.

use longshore_store::meta::Durability;
use longshore_types::{account::AccountId, name::RepositoryName};
use serde::{Deserialize, Serialize};

use super::description::Repository;
use crate::{
    authz::{Ecr, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::Member,
    op::on_repository,
    operation::Operation,
    public::alias,
    table::{expired, image, repository},
};

/// Deletes a repository, with its images only by `force` (`behaviour.md` section 7).
///
/// Its name is free at once; what was in it goes in the background.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeleteRepository {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    force: bool,
}

/// The repository as it was.
#[derive(Debug, Serialize)]
pub struct DeletedRepository {
    repository: Repository,
}

impl Operation for DeleteRepository {
    type Output = DeletedRepository;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        on_repository(
            Ecr::DeleteRepository,
            scope,
            &self.registry_id,
            &self.repository_name,
        )
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<DeletedRepository> {
        let force = self.force;
        let row = cx
            .change(permit.grant(), Durability::Durable, move |tx, grant| {
                let row = grant.repository()?;
                // The row's lock comes first: whoever is pushing commits before the check or finds a dead repository.
                repository::kill(tx, row.incarnation)?;
                let has_images = image::any(tx, row.incarnation)?
                    // What a policy has expired can still be brought back.
                    || expired::any(tx, row.incarnation)?;
                if !force && has_images {
                    return Err(Error::RepositoryNotEmpty {
                        name: row.name.clone(),
                        account: row.registry.account(),
                    });
                }
                Ok(row.clone())
            })
            .await?;
        cx.core.targets.forget(&row.registry, &row.name);
        let alias = alias::primary(cx, &row.registry).await?;
        Ok(DeletedRepository {
            repository: Repository::describe(&row, cx.endpoints, alias.as_ref()),
        })
    }
}

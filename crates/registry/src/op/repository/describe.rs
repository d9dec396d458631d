//! `DescribeRepositories`.

use longshore_types::{
    account::{AccountId, Registry},
    name::RepositoryName,
};
use serde::{Deserialize, Serialize};

use super::description::Repository;
use crate::{
    authz::{Ecr, Grant, Need, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::Result,
    member::{Member, check_length},
    op::name_in,
    operation::Operation,
    page::{self, PageSize},
    public::alias,
    table::repository,
};

const MAX_NAMES: usize = 100;

/// Tells the repositories named, or all of a registry in pages by name.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DescribeRepositories {
    registry_id: Member<AccountId>,
    repository_names: Option<Vec<Member<RepositoryName>>>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// Repositories, and how to go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribedRepositories {
    repositories: Vec<Repository>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Operation for DescribeRepositories {
    type Output = DescribedRepositories;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let registry = scope.registry_of(self.registry_id.optional("registryId")?);
        PageSize::USUAL.check(self.max_results)?;
        let need = |resource| Need::new(Ecr::DescribeRepositories, resource);
        Ok(match self.names(&registry)? {
            Some(names) => {
                let named = names
                    .into_iter()
                    .map(|name| need(Resource::Repository(registry, name)));
                Needs::all(named.collect())
            }
            None => Needs::all(vec![need(Resource::Repositories(registry))]),
        })
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<DescribedRepositories> {
        if self.repository_names.is_none() {
            return self.page(cx, permit.grant()).await;
        }
        let alias = alias::primary(cx, permit.grant().registry()).await?;
        let named = permit.grants().cloned().collect();
        // A proven grant carries the row of its version, so nothing else has to be read.
        let rows = cx
            .read_all(named, |_, grants| {
                grants
                    .iter()
                    .map(|grant| grant.repository().cloned())
                    .collect::<Result<Vec<_>>>()
            })
            .await?;
        Ok(DescribedRepositories {
            repositories: rows
                .iter()
                .map(|row| Repository::describe(row, cx.endpoints, alias.as_ref()))
                .collect(),
            next_token: None,
        })
    }
}

impl DescribeRepositories {
    /// The names, each once, if there are any; then there are no pages.
    fn names(&self, registry: &Registry) -> Result<Option<Vec<RepositoryName>>> {
        let Some(members) = &self.repository_names else {
            return Ok(None);
        };
        check_length("repositoryNames", members.len(), MAX_NAMES)?;
        page::refuse_with(
            "repositoryNames",
            self.max_results,
            self.next_token.as_deref(),
        )?;
        let mut names = Vec::with_capacity(members.len());
        for member in members {
            let name = name_in(registry, "repositoryNames", member)?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(Some(names))
    }

    async fn page(&self, cx: &Cx<'_>, grant: &Grant) -> Result<DescribedRepositories> {
        let size = PageSize::USUAL.check(self.max_results)?;
        let alias = alias::primary(cx, grant.registry()).await?;
        let list = list_of(grant.registry());
        let tokens = &cx.core.tokens;
        let paging = page::Paging::<String>::read(tokens, list, size, self.next_token.as_deref())?;
        let (after, limit) = (paging.after.clone().unwrap_or_default(), paging.limit());
        let mut rows = cx
            .read(grant, move |tx, grant| {
                Ok(repository::page(tx, grant.registry(), &after, limit)?)
            })
            .await?;
        let next_token = paging.cut(tokens, &mut rows, |row| row.name.as_str().to_owned())?;
        Ok(DescribedRepositories {
            repositories: rows
                .iter()
                .map(|row| Repository::describe(row, cx.endpoints, alias.as_ref()))
                .collect(),
            next_token,
        })
    }
}

fn list_of(registry: &Registry) -> String {
    format!(
        "DescribeRepositories {} {} {}",
        registry.kind(),
        registry.account(),
        registry.region()
    )
}

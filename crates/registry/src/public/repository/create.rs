//! `CreateRepository` of ECR Public.

use longshore_store::meta::Durability;
use longshore_types::name::RepositoryName;
use serde::{Deserialize, Serialize};

use crate::{
    authz::{EcrPublic, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::Result,
    member::Member,
    op::{
        name_in,
        repository::Repository,
        resource::{Tag, asked},
    },
    operation::Operation,
    public::{
        alias,
        catalog::{CatalogDataInput, RepositoryCatalogData},
    },
    storage::repository::NewRepository,
};

/// Makes a public repository; the first of a registry gives that its default alias (`behaviour.md` section 29).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreateRepository {
    repository_name: Member<RepositoryName>,
    catalog_data: Option<CatalogDataInput>,
    tags: Option<Vec<Tag>>,
}

/// The new repository, and what it tells about itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatedRepository {
    repository: Repository,
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog_data: Option<RepositoryCatalogData>,
}

impl Operation for CreateRepository {
    type Output = CreatedRepository;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let name = self.name(scope)?;
        let tags = self.tags(&name)?;
        self.catalog_data
            .as_ref()
            .map_or(Ok(()), CatalogDataInput::check)?;
        let needs = Needs::one(
            EcrPublic::CreateRepository,
            Resource::NewRepository(scope.registry, name),
        );
        Ok(if tags.is_empty() {
            needs
        } else {
            asked(needs.and(EcrPublic::TagResource), &tags)
        })
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<CreatedRepository> {
        let grant = permit.grant();
        let name = self.name(&cx.scope)?;
        let mut new = NewRepository::new(cx.core, *grant.registry(), name.clone()).await?;
        new.tags = self.tags(&name)?;
        let change = self.catalog_data.map(|data| data.change(cx.core));
        let drawn = alias::draw()?;
        let (row, data, alias) = cx
            .write(grant, Durability::Durable, move |tx, grant| {
                let alias = alias::ensure(tx, grant.registry().account(), &drawn)?;
                let row = new.insert(tx)?;
                let change = change.as_ref();
                let data = change.map(|change| change.apply(tx, row.incarnation));
                Ok((row, data.transpose()?, alias))
            })
            .await?;
        Ok(CreatedRepository {
            repository: Repository::describe(&row, cx.endpoints, Some(&alias)),
            catalog_data: data.map(|data| RepositoryCatalogData::of(data, cx.endpoints)),
        })
    }
}

impl CreateRepository {
    fn name(&self, scope: &Scope) -> Result<RepositoryName> {
        name_in(&scope.registry, "repositoryName", &self.repository_name)
    }

    fn tags(&self, name: &RepositoryName) -> Result<Vec<(String, String)>> {
        Tag::read_all(self.tags.as_deref().unwrap_or_default(), name)
    }
}

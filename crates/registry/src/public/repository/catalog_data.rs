//! `GetRepositoryCatalogData` and `PutRepositoryCatalogData`.

use longshore_store::meta::Durability;
use longshore_types::{account::AccountId, name::RepositoryName};
use serde::{Deserialize, Serialize};

use crate::{
    authz::{EcrPublic, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::Member,
    op::on_repository,
    operation::Operation,
    public::catalog::{CatalogDataInput, RepositoryCatalogData},
    table::{catalog, catalog::CatalogData},
};

/// Tells what a repository tells about itself.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetRepositoryCatalogData {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
}

/// Changes what a repository tells about itself.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PutRepositoryCatalogData {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    catalog_data: Option<CatalogDataInput>,
}

/// What a repository tells about itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryCatalog {
    catalog_data: RepositoryCatalogData,
}

impl RepositoryCatalog {
    fn of(cx: &Cx<'_>, data: CatalogData) -> Self {
        Self {
            catalog_data: RepositoryCatalogData::of(data, cx.endpoints),
        }
    }
}

impl Operation for GetRepositoryCatalogData {
    type Output = RepositoryCatalog;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        on_repository(
            EcrPublic::GetRepositoryCatalogData,
            scope,
            &self.registry_id,
            &self.repository_name,
        )
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RepositoryCatalog> {
        let data = cx
            .read(permit.grant(), |tx, grant| {
                let of = grant.repository()?;
                let data = catalog::get(tx, of.incarnation)?;
                data.ok_or_else(|| Error::RepositoryCatalogDataNotFound {
                    name: of.name.clone(),
                    account: of.registry.account(),
                })
            })
            .await?;
        Ok(RepositoryCatalog::of(cx, data))
    }
}

impl Operation for PutRepositoryCatalogData {
    type Output = RepositoryCatalog;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            EcrPublic::PutRepositoryCatalogData,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        self.data()?.check()?;
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RepositoryCatalog> {
        let change = self.data()?.clone().change(cx.core);
        let data = cx
            .write(permit.grant(), Durability::Durable, move |tx, grant| {
                change.apply(tx, grant.repository()?.incarnation)
            })
            .await?;
        Ok(RepositoryCatalog::of(cx, data))
    }
}

impl PutRepositoryCatalogData {
    fn data(&self) -> Result<&CatalogDataInput> {
        let data = self.catalog_data.as_ref();
        data.ok_or_else(|| Error::invalid("catalogData", "Member must not be null"))
    }
}

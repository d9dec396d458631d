//! `GetRegistryCatalogData` and `PutRegistryCatalogData`.

use longshore_store::meta::Durability;
use serde::{Deserialize, Serialize};

use crate::{
    authz::{EcrPublic, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::Result,
    member::at_most,
    operation::Operation,
    table::catalog,
};

/// The most characters of a display name.
const MAX_DISPLAY_NAME: usize = 100;

/// Tells what the gallery calls the caller's registry.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct GetRegistryCatalogData {}

/// Changes what the gallery calls the caller's registry; without a name it is called nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PutRegistryCatalogData {
    display_name: Option<String>,
}

/// What the gallery calls a registry.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryCatalog {
    registry_catalog_data: RegistryCatalogData,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RegistryCatalogData {
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
}

impl RegistryCatalog {
    fn of(display_name: Option<String>) -> Self {
        Self {
            registry_catalog_data: RegistryCatalogData { display_name },
        }
    }
}

impl Operation for GetRegistryCatalogData {
    type Output = RegistryCatalog;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let registry = Resource::PublicRegistry(scope.registry.account());
        Ok(Needs::one(EcrPublic::GetRegistryCatalogData, registry))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RegistryCatalog> {
        let name = cx
            .read(permit.grant(), |tx, grant| {
                Ok(catalog::display_name(tx, grant.registry().account())?)
            })
            .await?;
        Ok(RegistryCatalog::of(name))
    }
}

impl Operation for PutRegistryCatalogData {
    type Output = RegistryCatalog;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let name = self.display_name.as_deref().unwrap_or_default();
        at_most("displayName", name, MAX_DISPLAY_NAME)?;
        let registry = Resource::PublicRegistry(scope.registry.account());
        Ok(Needs::one(EcrPublic::PutRegistryCatalogData, registry))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RegistryCatalog> {
        let name = self.display_name.filter(|name| !name.is_empty());
        let stored = name.clone();
        cx.write(permit.grant(), Durability::Durable, move |tx, grant| {
            let account = grant.registry().account();
            Ok(catalog::set_display_name(tx, account, stored.as_deref())?)
        })
        .await?;
        Ok(RegistryCatalog::of(name))
    }
}

//! `DeleteRepositoryCreationTemplate`.

use longshore_store::meta::{Durability, Tx};
use longshore_types::name::TemplatePrefix;
use serde::Deserialize;

use super::description::RegistryTemplate;
use crate::{
    authz::{Ecr, Grant, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::Member,
    operation::Operation,
    table::creation_template::{self, CreationTemplate},
};

/// Takes a template away; the repositories that were made by it stay as they are.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeleteRepositoryCreationTemplate {
    prefix: Member<TemplatePrefix>,
}

impl Operation for DeleteRepositoryCreationTemplate {
    type Output = RegistryTemplate;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        self.prefix.required("prefix")?;
        Ok(Needs::one(
            Ecr::DeleteRepositoryCreationTemplate,
            Resource::Registry(scope.registry),
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RegistryTemplate> {
        let prefix = self.prefix.required("prefix")?;
        cx.write(permit.grant(), Durability::Durable, move |tx, grant| {
            let row = find(tx, grant, &prefix)?;
            creation_template::remove(tx, grant.registry(), &prefix)?;
            RegistryTemplate::of(tx, grant, row)
        })
        .await
    }
}

/// Returns the template of that prefix in the registry of `grant`.
pub(super) fn find(
    tx: &mut dyn Tx,
    grant: &Grant,
    prefix: &TemplatePrefix,
) -> Result<CreationTemplate> {
    let registry = grant.registry();
    let found = creation_template::get(tx, registry, prefix)?;
    found.ok_or_else(|| Error::TemplateNotFound {
        prefix: prefix.clone(),
        account: registry.account(),
    })
}

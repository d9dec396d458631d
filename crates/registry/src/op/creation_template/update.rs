//! `UpdateRepositoryCreationTemplate`.

use longshore_store::meta::Durability;
use serde::Deserialize;

use super::{delete::find, description::RegistryTemplate, input::TemplateInput};
use crate::{
    authz::{Ecr, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    operation::Operation,
    table::creation_template,
};

/// Changes a template, for repositories that are made from now on.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct UpdateRepositoryCreationTemplate(TemplateInput);

impl Operation for UpdateRepositoryCreationTemplate {
    type Output = RegistryTemplate;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let given = self.0.read(&scope.registry)?;
        Ok(given.needs(Ecr::UpdateRepositoryCreationTemplate, scope.registry))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<RegistryTemplate> {
        let grant = permit.grant();
        let given = self.0.read(grant.registry())?;
        cx.write(grant, Durability::Durable, move |tx, grant| {
            let mut row = find(tx, grant, &given.prefix)?;
            given.clone().apply(tx, &mut row)?;
            creation_template::update(tx, grant.registry(), &row)?;
            RegistryTemplate::of(tx, grant, row)
        })
        .await
    }
}

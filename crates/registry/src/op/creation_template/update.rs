//! `UpdateRepositoryCreationTemplate`.

use longshore_store::meta::Durability;
use serde::Deserialize;

use super::{
    delete::find,
    description::RegistryTemplate,
    input::{TemplateInput, passing},
};
use crate::{
    authz::{self, Ecr, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    operation::Operation,
    table::creation_template,
};

/// Changes a template, for repositories that are made from now on. Giving it tags passes the role that it has.
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
        let wanted = given.clone();
        let role = cx
            .read(grant, move |tx, grant| {
                Ok(wanted.role_for_tags(&find(tx, grant, &wanted.prefix)?))
            })
            .await?;
        let mut grants = vec![grant.clone()];
        if let Some(role) = &role {
            let permit: Permit<Self> = authz::authorize(cx, passing(role)).await?;
            grants.push(permit.grant().clone());
        }
        cx.write_all(grants, Durability::Durable, move |tx, grants| {
            let [grant, ..] = grants else {
                return Err(Error::internal("an update without a grant"));
            };
            let mut row = find(tx, grant, &given.prefix)?;
            if given.role_for_tags(&row) != role {
                // Another update gave it another role. Whoever tries again is asked about that one.
                return Err(Error::Unavailable);
            }
            given.clone().apply(tx, &mut row)?;
            creation_template::update(tx, grant.registry(), &row)?;
            RegistryTemplate::of(tx, grant, row)
        })
        .await
    }
}

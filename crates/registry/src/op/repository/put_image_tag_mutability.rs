//! `PutImageTagMutability`.

use longshore_store::meta::Durability;
use longshore_types::{
    account::AccountId,
    mutability::{ImageTagMutability, TagMutability},
    name::RepositoryName,
};
use serde::{Deserialize, Serialize};

use super::{
    description::{ImageTagMutabilityExclusionFilter, exclusion_filters},
    mutability::{self, FilterInput},
};
use crate::{
    authz::{Ecr, Needs, Permit},
    cx::{Cx, Scope},
    error::Result,
    member::Member,
    op::on_repository,
    operation::Operation,
    table::repository,
};

/// Sets which tags of a repository may move, for pushes from now on (`behaviour.md` section 8).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PutImageTagMutability {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    image_tag_mutability: Member<ImageTagMutability>,
    image_tag_mutability_exclusion_filters: Option<Vec<FilterInput>>,
}

/// What was set, and where.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageTagMutabilityPut {
    registry_id: AccountId,
    repository_name: RepositoryName,
    image_tag_mutability: ImageTagMutability,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_tag_mutability_exclusion_filters: Vec<ImageTagMutabilityExclusionFilter>,
}

impl Operation for PutImageTagMutability {
    type Output = ImageTagMutabilityPut;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Ecr::PutImageTagMutability,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        self.mutability()?;
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ImageTagMutabilityPut> {
        let grant = permit.grant();
        let mutability = self.mutability()?;
        let wanted = mutability.clone();
        cx.change(grant, Durability::Durable, move |tx, grant| {
            let incarnation = grant.repository()?.incarnation;
            Ok(repository::set_mutability(tx, incarnation, &wanted)?)
        })
        .await?;
        let row = grant.repository()?;
        cx.core.targets.forget(&row.registry, &row.name);
        Ok(ImageTagMutabilityPut {
            registry_id: row.registry.account(),
            repository_name: row.name.clone(),
            image_tag_mutability: mutability.setting(),
            image_tag_mutability_exclusion_filters: exclusion_filters(&mutability),
        })
    }
}

impl PutImageTagMutability {
    fn mutability(&self) -> Result<TagMutability> {
        mutability::join(
            self.image_tag_mutability.required("imageTagMutability")?,
            self.image_tag_mutability_exclusion_filters.as_ref(),
        )
    }
}

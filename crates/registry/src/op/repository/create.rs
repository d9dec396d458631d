//! `CreateRepository`.

use longshore_store::meta::Durability;
use longshore_types::{
    account::AccountId,
    mutability::{ImageTagMutability, TagMutability},
    name::RepositoryName,
};
use serde::{Deserialize, Serialize};

use super::{
    description::Repository,
    encryption::EncryptionInput,
    mutability::{self, FilterInput},
};
use crate::{
    authz::{Ecr, Grant, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::Result,
    member::Member,
    op::resource::{Tag, asked},
    operation::Operation,
    storage::repository::NewRepository,
};

/// Makes a repository (`behaviour.md` section 7).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreateRepository {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    tags: Option<Vec<Tag>>,
    image_tag_mutability: Member<ImageTagMutability>,
    image_tag_mutability_exclusion_filters: Option<Vec<FilterInput>>,
    image_scanning_configuration: Option<ScanningInput>,
    encryption_configuration: Option<EncryptionInput>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ScanningInput {
    scan_on_push: bool,
}

/// The new repository.
#[derive(Debug, Serialize)]
pub struct CreatedRepository {
    repository: Repository,
}

impl Operation for CreateRepository {
    type Output = CreatedRepository;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let registry = scope.registry_of(self.registry_id.optional("registryId")?);
        let name = self.repository_name.required("repositoryName")?;
        self.mutability()?;
        if let Some(encryption) = &self.encryption_configuration {
            encryption.check()?;
        }
        let tags = self.tags(&name)?;
        let needs = Needs::one(
            Ecr::CreateRepository,
            Resource::NewRepository(registry, name),
        );
        Ok(if tags.is_empty() {
            needs
        } else {
            asked(needs.and(Ecr::TagResource), &tags)
        })
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<CreatedRepository> {
        let grant = permit.grant();
        let new = self.new_repository(cx, grant).await?;
        let row = cx
            .write(grant, Durability::Durable, move |tx, _| new.insert(tx))
            .await?;
        Ok(CreatedRepository {
            repository: Repository::describe(&row, cx.endpoints, None),
        })
    }
}

impl CreateRepository {
    async fn new_repository(&self, cx: &Cx<'_>, grant: &Grant) -> Result<NewRepository> {
        let name = self.repository_name.required("repositoryName")?;
        let scanning = self.image_scanning_configuration.as_ref();
        let mut new = NewRepository::new(cx.core, *grant.registry(), name.clone()).await?;
        new.tags = self.tags(&name)?;
        new.mutability = self.mutability()?;
        new.scan_on_push = scanning.is_some_and(|scanning| scanning.scan_on_push);
        Ok(new)
    }

    fn mutability(&self) -> Result<TagMutability> {
        let setting = self.image_tag_mutability.optional("imageTagMutability")?;
        mutability::join(
            setting.unwrap_or(ImageTagMutability::Mutable),
            self.image_tag_mutability_exclusion_filters.as_ref(),
        )
    }

    fn tags(&self, name: &RepositoryName) -> Result<Vec<(String, String)>> {
        Tag::read_all(self.tags.as_deref().unwrap_or_default(), name)
    }
}

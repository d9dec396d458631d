//! `UpdateImageStorageClass`.

use longshore_store::meta::{Durability, Tx};
use longshore_types::{
    account::AccountId,
    digest::Digest,
    name::{ImageTag, RepositoryName},
};
use serde::{Deserialize, Serialize};

use super::{
    describe::{not_found, refusal},
    identifier::{ImageIdentifier, Wanted},
    lookup::Lookup,
};
use crate::{
    authz::{Ecr, Grant, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::{Member, words},
    op::on_repository,
    operation::Operation,
    storage::archive,
    table::{image, image_storage::Status},
};

words! {
    /// The storage class that an image is to have.
    TargetStorageClass {
        Standard = "STANDARD",
        Archive = "ARCHIVE",
    }
}

/// Archives an image, or begins to restore an archived one (`behaviour.md` section 20).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UpdateImageStorageClass {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    image_id: Option<ImageIdentifier>,
    target_storage_class: Member<TargetStorageClass>,
}

/// The image, and how it is stored now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdatedStorageClass {
    registry_id: AccountId,
    repository_name: RepositoryName,
    image_id: ImageIdentifier,
    image_status: &'static str,
}

impl Operation for UpdateImageStorageClass {
    type Output = UpdatedStorageClass;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Ecr::UpdateImageStorageClass,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        self.image()?;
        self.target()?;
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<UpdatedStorageClass> {
        let (id, wanted) = self.image()?;
        let target = self.target()?;
        let tag = wanted.tag.clone();
        let (digest, status) = cx
            .write(permit.grant(), Durability::Durable, move |tx, grant| {
                update(tx, grant, &id, &wanted, target)
            })
            .await?;
        cx.core.wake_archive.notify_one();
        let repository = permit.grant().repository()?;
        Ok(UpdatedStorageClass {
            registry_id: repository.registry.account(),
            repository_name: repository.name.clone(),
            image_id: ImageIdentifier::new(&digest, tag.as_ref().map(ImageTag::as_str)),
            image_status: status.word(),
        })
    }
}

impl UpdateImageStorageClass {
    fn image(&self) -> Result<(ImageIdentifier, Wanted)> {
        let id = self.image_id.as_ref();
        let id = id.ok_or_else(|| Error::invalid("imageId", "Member must not be null"))?;
        let wanted = id.wanted().map_err(|code| refusal("imageId", code))?;
        Ok((id.clone(), wanted))
    }

    fn target(&self) -> Result<TargetStorageClass> {
        self.target_storage_class.required("targetStorageClass")
    }
}

fn update(
    tx: &mut dyn Tx,
    grant: &Grant,
    id: &ImageIdentifier,
    wanted: &Wanted,
    target: TargetStorageClass,
) -> Result<(Digest, Status)> {
    let repository = grant.repository()?;
    let incarnation = repository.incarnation;
    let lookup = Lookup::of(tx, incarnation, std::iter::once(wanted))?;
    let found = lookup.find(wanted).map_err(|_| not_found(repository, id))?;
    let digest = image::resolve(tx, incarnation, &found)?;
    let digest = digest.ok_or_else(|| not_found(repository, id))?;
    let (done, status) = match target {
        TargetStorageClass::Archive => (
            archive::archive(tx, incarnation, &digest)?,
            Status::Archived,
        ),
        TargetStorageClass::Standard => (
            archive::restore(tx, incarnation, &digest)?,
            Status::Activating,
        ),
    };
    match done {
        Ok(()) => Ok((digest, status)),
        Err(refused) => Err(Error::ImageStorageClassUpdateNotSupported(refused)),
    }
}

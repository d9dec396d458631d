//! `PutImage`.

use longshore_store::meta::Durability;
use longshore_types::{
    account::AccountId,
    manifest::{MAX_MANIFEST_BYTES, Manifest, ManifestError},
    media_type::MediaType,
    name::{ImageTag, RepositoryName},
};
use serde::{Deserialize, Serialize};

use super::identifier::ImageIdentifier;
use crate::{
    authz::{Ecr, Grant, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::Member,
    op::on_repository,
    operation::Operation,
    storage::image::{self, Wire},
};

/// Stores a manifest as an image and, if there is a tag, makes that name it (`behaviour.md` section 9).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PutImage {
    pub(crate) registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    image_manifest: Option<String>,
    image_manifest_media_type: Option<String>,
    image_tag: Member<ImageTag>,
    image_digest: Option<String>,
}

/// The image that was put.
#[derive(Debug, Serialize)]
pub struct PutImageOutput {
    image: Image,
}

/// An image with its manifest.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
pub struct Image {
    pub(super) registry_id: AccountId,
    pub(super) repository_name: RepositoryName,
    pub(super) image_id: ImageIdentifier,
    pub(super) image_manifest: String,
    pub(super) image_manifest_media_type: String,
}

impl Operation for PutImage {
    type Output = PutImageOutput;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Ecr::PutImage,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        self.manifest()?;
        self.declared()?;
        self.image_tag.optional("imageTag")?;
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<PutImageOutput> {
        let grant = permit.grant();
        let text = self.manifest()?;
        let manifest =
            Manifest::parse(text.as_bytes(), self.declared()?.as_ref()).map_err(refusal)?;
        self.check_digest(grant, text)?;
        let keys = cx.core.domain_keys(grant).await?;
        let new = image::prepare(&keys, &manifest, text.as_bytes(), None)?;
        let digest = new.digest;
        let tag = self.image_tag.optional("imageTag")?;
        let tags: Vec<ImageTag> = tag.iter().cloned().collect();
        let limits = cx.core.push_limits(grant)?;
        cx.write(grant, Durability::Durable, move |tx, grant| {
            image::put(tx, grant, &new, &tags, Wire::Api, &limits)
        })
        .await?;
        let repository = grant.repository()?;
        Ok(PutImageOutput {
            image: Image {
                registry_id: repository.registry.account(),
                repository_name: repository.name.clone(),
                image_id: ImageIdentifier::new(&digest, tag.as_ref().map(ImageTag::as_str)),
                image_manifest: text.to_owned(),
                image_manifest_media_type: manifest.media_type.to_string(),
            },
        })
    }
}

impl PutImage {
    fn manifest(&self) -> Result<&str> {
        let text = self.image_manifest.as_deref();
        let text =
            text.ok_or_else(|| Error::invalid("imageManifest", "Member must not be null"))?;
        if text.is_empty() {
            let what = "Member must have length greater than or equal to 1";
            return Err(Error::invalid("imageManifest", what));
        }
        if text.len() > MAX_MANIFEST_BYTES {
            return Err(too_large());
        }
        Ok(text)
    }

    fn declared(&self) -> Result<Option<MediaType>> {
        let parse = |text: &String| {
            text.parse().map_err(|_| {
                Error::invalid("imageManifestMediaType", "Member must be a media type")
            })
        };
        self.image_manifest_media_type
            .as_ref()
            .map(parse)
            .transpose()
    }

    /// The API knows images by the SHA-256 of their manifest only.
    fn check_digest(&self, grant: &Grant, text: &str) -> Result<()> {
        let calculated = image::digest_of(text.as_bytes()).to_string();
        match &self.image_digest {
            Some(given) if *given != calculated => {
                let repository = grant.repository()?;
                Err(Error::ImageDigestDoesNotMatch {
                    digest: given.clone(),
                    name: repository.name.clone(),
                    account: repository.registry.account(),
                })
            }
            _ => Ok(()),
        }
    }
}

/// ECR has one text for whatever is wrong with a manifest.
fn refusal(error: ManifestError) -> Error {
    match error {
        ManifestError::TooLarge(_) => too_large(),
        error @ ManifestError::TooManyDescriptors(_) => Error::LimitExceeded(error.to_string()),
        ManifestError::NotJson
        | ManifestError::Invalid(_)
        | ManifestError::MediaTypeMissing
        | ManifestError::MediaTypeMismatch { .. }
        | ManifestError::Unsupported(_)
        | ManifestError::Ambiguous => Error::invalid("ImageManifest", "Invalid JSON syntax"),
    }
}

fn too_large() -> Error {
    let what = format!("Member must have length less than or equal to {MAX_MANIFEST_BYTES}");
    Error::invalid("imageManifest", what)
}

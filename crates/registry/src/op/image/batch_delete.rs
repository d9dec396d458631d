//! `BatchDeleteImage`.

use longshore_store::meta::{Durability, Tx};
use longshore_types::{
    account::AccountId,
    digest::Digest,
    name::{ImageTag, RepositoryName},
};
use serde::{Deserialize, Serialize};

use super::{
    failure::{ImageFailure, ImageFailureCode},
    identifier::{ImageIdentifier, Wanted},
};
use crate::{
    authz::{Ecr, Grant, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::{Member, required_list},
    oci::manifest,
    op::{digest::DigestText, on_repository},
    operation::Operation,
    storage::image as rules,
    table::{image, tag},
};

const MAX_IDS: usize = 100;

/// Deletes images, each in its own transaction (`behaviour.md` section 11.5).
///
/// By digest the image goes with all its tags. By tag, with or without the digest that it must then name, the tag
/// goes, and with the last tag the image. ECR does not say what both together delete; this deletes less.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BatchDeleteImage {
    pub(crate) registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    image_ids: Option<Vec<ImageIdentifier>>,
}

/// What was deleted, one entry per tag, and what was not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedImages {
    image_ids: Vec<ImageIdentifier>,
    failures: Vec<ImageFailure>,
}

impl Operation for BatchDeleteImage {
    type Output = DeletedImages;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Ecr::BatchDeleteImage,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        self.ids()?;
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<DeletedImages> {
        let mut deleted = DeletedImages {
            image_ids: Vec::new(),
            failures: Vec::new(),
        };
        for id in self.ids()? {
            match delete(cx, permit.grant(), id).await? {
                Ok(ids) => deleted.image_ids.extend(ids),
                Err(code) => deleted.failures.push(code.of(id.clone())),
            }
        }
        Ok(deleted)
    }
}

impl BatchDeleteImage {
    fn ids(&self) -> Result<&[ImageIdentifier]> {
        required_list("imageIds", self.image_ids.as_ref(), MAX_IDS)
    }
}

type Outcome = Result<Vec<ImageIdentifier>, ImageFailureCode>;

async fn delete(cx: &Cx<'_>, grant: &Grant, id: &ImageIdentifier) -> Result<Outcome> {
    let deleted = match id.wanted() {
        Err(code) => return Ok(Err(code)),
        Ok(Wanted {
            digest,
            tag: Some(tag),
        }) => delete_tag(cx, grant, tag, digest).await,
        Ok(Wanted { digest, tag: None }) => match digest.and_then(|digest| digest.known) {
            Some(digest) => delete_image(cx, grant, digest).await,
            None => return Ok(Err(ImageFailureCode::ImageNotFound)),
        },
    };
    match deleted {
        Ok(outcome) => Ok(outcome),
        Err(Error::ManifestUnknown) => Ok(Err(ImageFailureCode::ImageNotFound)),
        Err(Error::ImageReferencedByManifestList) => {
            Ok(Err(ImageFailureCode::ImageReferencedByManifestList))
        }
        Err(error) => Err(error),
    }
}

async fn delete_image(cx: &Cx<'_>, grant: &Grant, digest: Digest) -> Result<Outcome> {
    let (image, tags) = manifest::delete(cx, grant, digest).await?;
    if tags.is_empty() {
        return Ok(Ok(vec![ImageIdentifier::new(&image, None)]));
    }
    let entry = |tag: &String| ImageIdentifier::new(&image, Some(tag));
    Ok(Ok(tags.iter().map(entry).collect()))
}

async fn delete_tag(
    cx: &Cx<'_>,
    grant: &Grant,
    name: ImageTag,
    digest: Option<DigestText>,
) -> Result<Outcome> {
    cx.write(grant, Durability::Durable, move |tx, grant| {
        untag(tx, grant, &name, digest.as_ref())
    })
    .await
}

fn untag(
    tx: &mut dyn Tx,
    grant: &Grant,
    name: &ImageTag,
    digest: Option<&DigestText>,
) -> Result<Outcome> {
    let incarnation = grant.repository()?.incarnation;
    let tagged = image::tagged(tx, incarnation, name)?;
    if let Some(digest) = digest {
        let named = match digest.known {
            Some(digest) => image::resolve(tx, incarnation, &digest)?,
            None => None,
        };
        match named {
            None => return Err(Error::ManifestUnknown),
            named if named != tagged => {
                return Ok(Err(ImageFailureCode::ImageTagDoesNotMatchDigest));
            }
            Some(_) => {}
        }
    }
    // The image's lock comes before its tags are counted, so that no push adds one in between.
    let tagged = tagged.ok_or(Error::ManifestUnknown)?;
    let image = image::resolve(tx, incarnation, &tagged)?.ok_or(Error::ManifestUnknown)?;
    if tag::of_image(tx, incarnation, &image, 2)?.len() == 1 {
        rules::delete(tx, incarnation, &image)?;
    } else {
        rules::remove_tag(tx, incarnation, name)?;
    }
    Ok(Ok(vec![ImageIdentifier::new(&image, Some(name.as_str()))]))
}

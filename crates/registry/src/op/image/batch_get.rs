//! `BatchGetImage`.

use std::collections::HashMap;

use longshore_store::{crypto::DomainKeys, meta::Tx};
use longshore_types::{
    account::AccountId,
    digest::Digest,
    name::{ImageTag, RepositoryName},
};
use serde::{Deserialize, Serialize};

use super::{
    failure::{ImageFailure, ImageFailureCode},
    identifier::{ImageIdentifier, Wanted},
    lookup::Lookup,
    put::Image,
};
use crate::{
    authz::{Ecr, Grant, Needs, Permit},
    cx::{Cx, Scope},
    error::{Error, Result},
    member::{Member, check_length, required_list},
    op::on_repository,
    operation::Operation,
    pulls,
    storage::{
        image::digest_of,
        manifest::{self, Accept},
    },
    table::{
        image::{self, Stored},
        image_storage,
        repository::Repository,
    },
};

const MAX_IDS: usize = 100;
const MAX_TYPES: usize = 100;
/// How many bytes of manifests one answer holds: four of the largest. ECR's own bound is not known.
const MAX_ANSWER_BYTES: i64 = 16 * 1024 * 1024;

/// Gets images with their manifests (`behaviour.md` section 11.4).
///
/// An image that is not of an accepted type is converted if it was asked for by tag alone and can be, else not found.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BatchGetImage {
    registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    image_ids: Option<Vec<ImageIdentifier>>,
    accepted_media_types: Option<Vec<String>>,
}

/// The images that were found, and why the others were not.
#[derive(Debug, Serialize)]
pub struct GottenImages {
    images: Vec<Image>,
    failures: Vec<ImageFailure>,
}

type Found = (
    Vec<Result<Digest, ImageFailureCode>>,
    HashMap<Digest, Stored>,
);

impl Operation for BatchGetImage {
    type Output = GottenImages;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Ecr::BatchGetImage,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        self.ids()?;
        self.accept()?;
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<GottenImages> {
        let grant = permit.grant();
        let (ids, accept) = (self.ids()?, self.accept()?);
        let wanted: Vec<_> = ids.iter().map(ImageIdentifier::wanted).collect();
        let asked = wanted.clone();
        let ((found, manifests), counts) = cx
            .read(grant, move |tx, grant| {
                Ok((find(tx, grant, &asked)?, grant.counts_pulls()))
            })
            .await?;
        let keys = cx.core.domain_keys(grant).await?;
        let mut gotten = GottenImages {
            images: Vec::new(),
            failures: Vec::new(),
        };
        let mut pulled = Vec::new();
        for ((id, wanted), found) in ids.iter().zip(wanted).zip(found) {
            let image = found.as_ref().ok().copied();
            let served = match (wanted, found) {
                (Ok(wanted), Ok(digest)) => serve(&keys, &accept, &wanted, manifests.get(&digest))?,
                (Err(code), _) | (_, Err(code)) => Err(code),
            };
            match served {
                Ok(served) => {
                    gotten.images.push(served.of(grant.repository()?));
                    pulled.extend(image);
                }
                Err(code) => gotten.failures.push(code.of(id.clone())),
            }
        }
        if counts {
            let incarnation = grant.repository()?.incarnation;
            for image in pulled {
                pulls::record(cx.core, incarnation, image);
            }
        }
        Ok(gotten)
    }
}

impl BatchGetImage {
    fn ids(&self) -> Result<&[ImageIdentifier]> {
        required_list("imageIds", self.image_ids.as_ref(), MAX_IDS)
    }

    /// What cannot be a media type is no image's, so it accepts nothing.
    fn accept(&self) -> Result<Accept> {
        let Some(types) = &self.accepted_media_types else {
            return Ok(Accept::anything());
        };
        check_length("acceptedMediaTypes", types.len(), MAX_TYPES)?;
        let types = types.iter().filter_map(|text| text.parse().ok());
        Ok(Accept::only(types.collect()))
    }
}

/// Finds the images, and their manifests unless those are too much for one answer.
fn find(
    tx: &mut dyn Tx,
    grant: &Grant,
    asked: &[Result<Wanted, ImageFailureCode>],
) -> Result<Found> {
    let incarnation = grant.repository()?.incarnation;
    let lookup = Lookup::of(tx, incarnation, asked.iter().flatten())?;
    let find = |wanted: &Result<Wanted, ImageFailureCode>| {
        lookup.find(wanted.as_ref().map_err(|code| *code)?)
    };
    let mut found: Vec<_> = asked.iter().map(find).collect();
    let mut images: Vec<Digest> = found.iter().flatten().copied().collect();
    images.sort();
    images.dedup();
    let archived = image_storage::not_active(tx, incarnation, &images)?;
    images.retain(|image| !archived.contains(image));
    for image in &mut found {
        if matches!(image, Ok(digest) if archived.contains(digest)) {
            *image = Err(ImageFailureCode::ImageInaccessible);
        }
    }
    let sizes = image::stored_all(tx, incarnation, &images, false)?;
    let size_of = |digest: &Digest| sizes.get(digest).map_or(0, |image| image.bytes);
    if found.iter().flatten().map(size_of).sum::<i64>() > MAX_ANSWER_BYTES {
        return Err(Error::LimitExceeded(format!(
            "The manifests of the requested images are more than {MAX_ANSWER_BYTES} bytes together"
        )));
    }
    let manifests = image::stored_all(tx, incarnation, &images, true)?;
    Ok((found, manifests))
}

struct Served {
    image_id: ImageIdentifier,
    manifest: String,
    media_type: String,
}

impl Served {
    fn of(self, repository: &Repository) -> Image {
        Image {
            registry_id: repository.registry.account(),
            repository_name: repository.name.clone(),
            image_id: self.image_id,
            image_manifest: self.manifest,
            image_manifest_media_type: self.media_type,
        }
    }
}

/// Opens a manifest for this client, converting it if need be.
fn serve(
    keys: &DomainKeys,
    accept: &Accept,
    wanted: &Wanted,
    stored: Option<&Stored>,
) -> Result<Result<Served, ImageFailureCode>> {
    let Some((stored, sealed)) = stored.and_then(|stored| Some((stored, stored.sealed.as_ref()?)))
    else {
        return Ok(Err(ImageFailureCode::ImageNotFound));
    };
    let tag = wanted.tag.as_ref().map(ImageTag::as_str);
    let served = |digest: &Digest, bytes: Vec<u8>, media_type: &str| {
        Ok(Ok(Served {
            image_id: ImageIdentifier::new(digest, tag),
            manifest: String::from_utf8(bytes).map_err(Error::internal)?,
            media_type: media_type.to_owned(),
        }))
    };
    let bytes = manifest::open(keys, &stored.digest, sealed)?;
    if accept.takes(&stored.media_type) {
        return served(&stored.digest, bytes.into(), &stored.media_type);
    }
    let target = accept
        .counterpart(&stored.media_type)
        .filter(|_| wanted.digest.is_none());
    let Some(target) = target else {
        return Ok(Err(ImageFailureCode::ImageNotFound));
    };
    match manifest::converted(&bytes, &stored.media_type, target)? {
        Some(bytes) => served(&digest_of(&bytes), bytes, target.media_type()),
        None => Ok(Err(ImageFailureCode::ImageNotFound)),
    }
}

//! Putting and deleting images: one transaction each, the same rules for the API and `/v2`.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest as hash;
use longshore_store::{crypto::DomainKeys, meta::Tx};
use longshore_types::{
    digest::{Algorithm, Digest},
    id::Incarnation,
    manifest::{Manifest, ManifestKind},
    name::ImageTag,
};

use super::archive;
use crate::{
    authz::Grant,
    error::{Error, Result},
    quota::PushLimits,
    table::{
        image::{self, NewImage},
        image_storage::{self, Status},
        lifecycle::subject,
        link, relocation,
        repository_copy::change,
        tag,
    },
};

/// The SHA-256 of a manifest: its image's identity.
pub(crate) fn digest_of(manifest: &[u8]) -> Digest {
    digest_with(Algorithm::Sha256, manifest)
}

/// The digest of `bytes` by `algorithm`.
pub(crate) fn digest_with(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    match algorithm {
        Algorithm::Sha256 => {
            let mut out = [0; 32];
            out.copy_from_slice(hash::digest(&hash::SHA256, bytes).as_ref());
            Digest::sha256(out)
        }
        Algorithm::Sha512 => {
            let mut out = [0; 64];
            out.copy_from_slice(hash::digest(&hash::SHA512, bytes).as_ref());
            Digest::sha512(out)
        }
    }
}

/// What a sealed manifest is bound to.
pub(crate) fn manifest_aad(digest: &Digest) -> Vec<u8> {
    [b"manifest\0".as_slice(), &digest.to_key()].concat()
}

/// Prepares the rows of an image. `alias` is the digest it is pushed by, if that is not its SHA-256.
pub(crate) fn prepare(
    keys: &DomainKeys,
    manifest: &Manifest,
    bytes: &[u8],
    alias: Option<Digest>,
) -> Result<NewImage> {
    let digest = digest_of(bytes);
    let annotations = match &manifest.subject {
        Some(_) if !manifest.annotations.is_empty() => {
            Some(serde_json::to_string(&manifest.annotations).map_err(Error::internal)?)
        }
        _ => None,
    };
    Ok(NewImage {
        digest,
        alias: alias.filter(|alias| *alias != digest),
        media_type: manifest.media_type.to_string(),
        artifact_type: manifest.artifact_type.clone(),
        artifact_media_type: manifest.artifact_type.clone(),
        manifest_bytes: i64::try_from(bytes.len()).map_err(Error::internal)?,
        size: i64::try_from(manifest.layer_bytes()).unwrap_or(i64::MAX),
        subject: manifest.subject.as_ref().map(|subject| subject.digest),
        annotations,
        sealed: keys
            .seal(&manifest_aad(&digest), bytes)
            .map_err(Error::internal)?,
        seals_until: keys.seals_until(),
        layers: layers(manifest),
        children: children(manifest),
    })
}

/// The blobs that must be here, once each: configuration and layers, but no foreign ones, which live elsewhere.
fn layers(manifest: &Manifest) -> Vec<(Digest, String)> {
    let blobs = manifest
        .config
        .iter()
        .chain(&manifest.layers)
        .filter(|blob| !blob.foreign);
    let once: BTreeMap<Digest, String> = blobs
        .map(|blob| (blob.digest, blob.media_type.to_string()))
        .collect();
    once.into_iter().collect()
}

fn children(manifest: &Manifest) -> Vec<Digest> {
    if manifest.kind != ManifestKind::Index {
        return Vec::new();
    }
    let once: BTreeSet<Digest> = manifest.children.iter().map(|child| child.digest).collect();
    once.into_iter().collect()
}

/// Which of the two wires puts the image; they differ where the OCI specification and ECR do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// ECR's API: an image that is there already is an error, an absent child too.
    Api,
    /// `/v2`: putting again succeeds, indexes may be sparse.
    Oci,
}

/// Stores `image` and makes `tags` name it. Returns those of its layers that are not here, if it is new and sparse.
pub(crate) fn put(
    tx: &mut dyn Tx,
    grant: &Grant,
    image: &NewImage,
    tags: &[ImageTag],
    wire: Wire,
    limits: &PushLimits,
) -> Result<Vec<Digest>> {
    // Later the key may be gone that sealed the manifest.
    if tx.now() > image.seals_until {
        return Err(Error::Unavailable);
    }
    let repository = grant.repository()?;
    let incarnation = repository.incarnation;
    let mut absent = Vec::new();
    let exists = image::resolve(tx, incarnation, &image.digest)?.is_some();
    let is_archived =
        exists && image_storage::status(tx, incarnation, &image.digest)? != Status::Active;
    let named = tag::images(tx, incarnation, tags)?;
    if wire == Wire::Api
        && exists
        && !is_archived
        && tags
            .iter()
            .all(|tag| named.get(tag.as_str()) == Some(&image.digest))
    {
        return Err(Error::ImageAlreadyExists {
            digest: image.digest,
            tag: tags
                .first()
                .map_or_else(|| "null".to_owned(), ToString::to_string),
            name: repository.name.clone(),
            account: repository.registry.account(),
        });
    }
    for tag in tags {
        let named = named.get(tag.as_str());
        // A push that restores an archived image overwrites none of its tags.
        let is_kept = is_archived && named == Some(&image.digest);
        if named.is_some() && !is_kept && repository.mutability.is_immutable(tag) {
            return Err(Error::ImageTagAlreadyExists {
                tag: tag.clone(),
                name: repository.name.clone(),
            });
        }
    }
    // An image that is there may be sparse, which the API refuses all the same.
    if !exists || wire == Wire::Api {
        absent = absent_layers(tx, grant, image, wire)?;
        if !absent.is_empty() {
            // Whoever brings one of them looks for images that lack it: either sees the other.
            grant.require_alone()?;
        }
        let size = check_children(tx, grant, image, wire)?;
        if !exists {
            if let Some(images) = &limits.images {
                images.check(tx, |tx, most| image::count(tx, incarnation, most))?;
            }
            image::insert(tx, incarnation, image, size, &absent)?;
        }
    }
    if exists {
        image::touch(tx, incarnation, &image.digest)?;
    }
    if is_archived {
        archive::restore_at_once(tx, incarnation, &image.digest)?;
    }
    if let Some(alias) = &image.alias {
        image::insert_alias(tx, incarnation, alias, &image.digest)?;
    }
    // A tag that must not move and was not there: one that comes first has all of this looked at again.
    let is_fixed = |tag: &ImageTag| {
        repository.mutability.is_immutable(tag) && !named.contains_key(tag.as_str())
    };
    let (fixed, free): (Vec<ImageTag>, Vec<ImageTag>) = tags.iter().cloned().partition(is_fixed);
    let alias = image.alias.as_ref();
    tag::insert(tx, incarnation, &image.digest, alias, &fixed)?;
    tag::put(tx, incarnation, &image.digest, alias, &free)?;
    check_tags(tx, incarnation, image, tags, limits)?;
    let names = tags.iter().map(ImageTag::as_str);
    change::note(tx, incarnation, &[image.digest], names)?;
    Ok(absent)
}

/// Fails if the image has more tags than it may, some of which were just given.
fn check_tags(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &NewImage,
    given: &[ImageTag],
    limits: &PushLimits,
) -> Result<()> {
    match limits.tags {
        Some(most) if !given.is_empty() => {
            let count = tag::count(tx, incarnation, &image.digest, most + 1)?;
            if count > most {
                let text = format!("An image cannot have more than {most} tags");
                return Err(Error::LimitExceeded(text));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Returns the layers that are not linked here. ECR's API refuses them; `/v2` takes sparse images, as the specification's
/// own tests ask.
fn absent_layers(
    tx: &mut dyn Tx,
    grant: &Grant,
    image: &NewImage,
    wire: Wire,
) -> Result<Vec<Digest>> {
    let repository = grant.repository()?;
    let layers: Vec<Digest> = image.layers.iter().map(|(digest, _)| *digest).collect();
    // A damaged blob is as good as absent to the API. A sparse image references it all the same, so that its link stays
    // until any upload in the domain has replaced what is damaged.
    let linked = link::linked(tx, repository.incarnation, &layers)?;
    for blob in linked.iter().filter(|blob| blob.is_archived) {
        relocation::look_at(
            tx,
            repository.domain.as_bytes(),
            &blob.digest,
            relocation::FIRST,
        )?;
    }
    let usable: BTreeSet<Digest> = linked
        .into_iter()
        .filter(|blob| wire == Wire::Oci || !blob.is_damaged)
        .map(|blob| blob.digest)
        .collect();
    let absent: Vec<Digest> = layers
        .into_iter()
        .filter(|layer| !usable.contains(layer))
        .collect();
    if wire == Wire::Api && !absent.is_empty() {
        return Err(Error::LayersNotFound {
            digests: absent,
            name: repository.name.clone(),
            account: repository.registry.account(),
        });
    }
    Ok(absent)
}

/// Checks that the images that an index names are here, where they must be. Returns the size: of an index, that of its
/// largest image.
fn check_children(tx: &mut dyn Tx, grant: &Grant, image: &NewImage, wire: Wire) -> Result<i64> {
    if image.children.is_empty() {
        return Ok(image.size);
    }
    let repository = grant.repository()?;
    let present = image::present(tx, repository.incarnation, &image.children)?;
    let present: BTreeMap<Digest, i64> = present.into_iter().collect();
    // An archived image is as good as absent to the API.
    let archived = image_storage::not_active(tx, repository.incarnation, &image.children)?;
    let is_absent = |child: &&Digest| !present.contains_key(child) || archived.contains(child);
    let absent: Vec<Digest> = image.children.iter().filter(is_absent).copied().collect();
    if wire == Wire::Api && !absent.is_empty() {
        return Err(Error::ReferencedImagesNotFound {
            digests: absent,
            name: repository.name.clone(),
            account: repository.registry.account(),
        });
    }
    Ok(present.values().copied().max().unwrap_or(0))
}

/// How many tags one transaction removes at most.
pub(crate) const TAGS_PER_TRANSACTION: i64 = 1000;

/// What a deletion removed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Deleted {
    /// Some tags; there are more, so ask again.
    Some(Vec<String>),
    /// The image, and the last of its tags.
    All(Vec<String>),
}

/// Deletes an image and its tags, in bounded steps. Refuses a child of an index that is still there. Its referrers
/// follow where there is a lifecycle policy.
pub(crate) fn delete(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    digest: &Digest,
) -> Result<Deleted> {
    if image::is_child(tx, incarnation, digest)? {
        return Err(Error::ImageReferencedByManifestList);
    }
    let tags = tag::of_image(tx, incarnation, digest, TAGS_PER_TRANSACTION)?;
    if i64::try_from(tags.len()) == Ok(TAGS_PER_TRANSACTION) {
        remove_tags(tx, incarnation, &tags)?;
        return Ok(Deleted::Some(tags));
    }
    subject::goes(tx, incarnation, digest)?;
    tag::remove_all(tx, incarnation, digest)?;
    link::let_go(tx, incarnation, digest)?;
    image::remove(tx, incarnation, digest)?;
    let names = tags.iter().map(String::as_str);
    change::note(tx, incarnation, &[*digest], names)?;
    Ok(Deleted::All(tags))
}

/// Removes those tags; returns how many.
pub(crate) fn remove_tags(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    tags: &[String],
) -> Result<usize> {
    for name in tags {
        let name: ImageTag = name.parse().map_err(Error::internal)?;
        remove_tag(tx, incarnation, &name)?;
    }
    Ok(tags.len())
}

/// Removes a tag alone; returns whether it was there.
pub(crate) fn remove_tag(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    name: &ImageTag,
) -> Result<bool> {
    let removed = tag::remove(tx, incarnation, name)?;
    if removed {
        change::note(tx, incarnation, &[], [name.as_str()])?;
    }
    Ok(removed)
}

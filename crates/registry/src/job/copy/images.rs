//! Images with their layers, in order of digest.

use std::sync::Arc;

use longshore_store::meta::Tx;
use longshore_types::{digest::Digest, time::Timestamp};

use super::{Work, advance, blob};
use crate::{
    error::{Error, Result},
    storage::{
        image::{digest_of, manifest_aad},
        manifest,
    },
    table::{
        image_storage::{self, Status},
        link, relocation,
        repository::Repository,
        repository_copy::{
            Phase,
            content::{self, Pair},
        },
    },
};

/// How many images one step looks at.
const PER_STEP: i64 = 100;
/// How many rows one step writes, but for the last image's.
const ROWS: u64 = 3000;
/// How many layers one step writes anew, and how many bytes, but for the last layer's.
const LAYERS: usize = 64;
const BYTES: u64 = 64 << 20;
/// How many bytes of manifests one step holds.
const MANIFESTS: usize = 8 << 20;

/// A manifest that was sealed anew.
#[derive(Debug)]
pub(super) struct Resealed {
    bytes: Vec<u8>,
    /// Until when it may go into a row.
    seals_until: Timestamp,
}

/// An image whose layers the target has, and its manifest if that had to be sealed anew.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) image: Digest,
    pub(super) sealed: Option<Arc<Resealed>>,
}

/// Copies the next images.
pub(super) async fn step(work: Work<'_, '_>) -> Result<()> {
    let (source, cursor) = (work.copy.source, work.copy.cursor.clone());
    let core = work.cx.core;
    let images = core
        .meta
        .read(move |tx| Ok::<_, Error>(content::images(tx, source, &cursor, PER_STEP)?))
        .await?;
    if images.is_empty() {
        return advance(core, work.copy, |_, copy| {
            copy.enter(Phase::Tags);
            Ok(())
        })
        .await;
    }
    let ready = ready(&work, &images).await?;
    let within = work.is_within_domain();
    advance(core, work.copy, move |tx, copy| {
        let mut rows = 0;
        for Ready { image, sealed } in &ready {
            // What was gone when it was looked at, and has been pushed again, is found with what has changed.
            if within || sealed.is_some() {
                let Some(more) = put(tx, copy.pair(), within, image, sealed.as_deref())? else {
                    break;
                };
                rows += more;
                copy.images += 1;
            }
            copy.cursor = image.to_key();
            if rows > ROWS {
                break;
            }
        }
        Ok(())
    })
    .await
}

/// Makes an image in the target what it is in the source; returns how many rows that took, or nothing when it lacks a layer.
pub(super) fn put(
    tx: &mut dyn Tx,
    pair: Pair,
    within_domain: bool,
    image: &Digest,
    sealed: Option<&Resealed>,
) -> Result<Option<u64>> {
    if !content::hold_image(tx, pair.source, image)? {
        return Ok(Some(0));
    }
    if sealed.is_some_and(|sealed| tx.now() > sealed.seals_until) {
        return Err(Error::Unavailable);
    }
    let mut rows = 0;
    if within_domain {
        rows += content::link_layers(tx, pair, image)?;
    } else if !content::missing_layers(tx, pair, image)?.is_empty() {
        return Ok(None);
    }
    rows += content::put_image(tx, pair, image, sealed.map(|sealed| &sealed.bytes))?;
    match image_storage::status(tx, pair.target, image)? {
        Status::Archived => {
            link::withdraw_archived(tx, pair.target, image)?;
            relocation::look_at_layers(tx, pair.target, image, true)?;
        }
        // It was archived when it was looked at before, and its bytes may have been moved away.
        Status::Activating => relocation::look_at_layers(tx, pair.target, image, false)?,
        Status::Active => {}
    }
    Ok(Some(rows))
}

/// Prepares as many of `images` as one step may, in their order: across encryption domains, layers that the target lacks are written
/// there and manifests sealed anew.
pub(super) async fn ready(work: &Work<'_, '_>, images: &[Digest]) -> Result<Vec<Ready>> {
    let mut ready = Vec::new();
    let (mut layers, mut bytes, mut held) = (0, 0, 0);
    for image in images {
        if work.is_within_domain() {
            ready.push(Ready {
                image: *image,
                sealed: None,
            });
            continue;
        }
        for layer in missing(work, *image).await? {
            if layers >= LAYERS || bytes >= BYTES {
                return Ok(ready);
            }
            bytes += blob::copy(work, layer).await?;
            layers += 1;
        }
        let sealed = reseal(work, *image).await?;
        held += sealed.as_ref().map_or(0, |sealed| sealed.bytes.len());
        ready.push(Ready {
            image: *image,
            sealed,
        });
        if held >= MANIFESTS {
            break;
        }
    }
    Ok(ready)
}

async fn missing(work: &Work<'_, '_>, image: Digest) -> Result<Vec<Digest>> {
    let pair = work.copy.pair();
    let found = work
        .cx
        .core
        .meta
        .read(move |tx| Ok::<_, Error>(content::missing_layers(tx, pair, &image)?));
    found.await
}

/// Seals the manifest of an image for the target, having checked what it is; there is none of an image that is gone.
async fn reseal(work: &Work<'_, '_>, image: Digest) -> Result<Option<Arc<Resealed>>> {
    let core = work.cx.core;
    let source = work.copy.source;
    let sealed = core
        .meta
        .read(move |tx| Ok::<_, Error>(content::manifest(tx, source, &image)?))
        .await?;
    let Some(sealed) = sealed else {
        return Ok(None);
    };
    let keys = |of: &Repository| {
        let (registry, domain) = (of.registry, of.domain);
        core.keys.domain(&core.meta, registry, domain)
    };
    let bytes = manifest::open(&*keys(&work.source).await?, &image, &sealed)?;
    if digest_of(&bytes) != image {
        return Err(Error::internal(
            "a manifest has another digest than its row says",
        ));
    }
    let keys = keys(&work.target).await?;
    let sealed = keys.seal(&manifest_aad(&image), &bytes);
    Ok(Some(Arc::new(Resealed {
        bytes: sealed.map_err(Error::internal)?,
        seals_until: keys.seals_until(),
    })))
}

//! Repairs what is damaged by another copy of the same bytes: one that another registry has here, or one of a backup.
//!
//! The bytes are written anew, as an upload writes them, and proven by their digest. One transaction makes them the content of
//! the blob, if that is still the damaged one, and lifts the mark; what is damaged goes as any garbage does. So it matters
//! neither under which keys a copy lies, nor in which segments, nor what happens to the blob meanwhile.

use bytes::Bytes;
use longshore_store::{
    blob::Blobs,
    hash::UploadHash,
    meta::{Durability, Metadata},
};
use longshore_types::{digest::Algorithm, id::UploadId};

use super::{Spares, causes};
use crate::{
    core::Core,
    error::{Error, Result},
    keys::Keys,
    quota::UploadLimits,
    storage::{
        admit::Admission,
        blob::open_in,
        image::manifest_aad,
        manifest,
        receive::{self, Piece, Received, Target},
        upload::matching,
    },
    table::{
        blob,
        scrub::{self, Images, ScrubBlob, ScrubImage},
    },
};

/// How many copies are looked up at a time.
const COPIES: i64 = 20;

/// Rows and segments that belong together.
pub(super) struct Source<'a> {
    pub(super) name: String,
    pub(super) meta: &'a Metadata,
    pub(super) blobs: &'a Blobs,
    pub(super) keys: &'a Keys,
    /// Whether they are the store's own, with what is damaged among them.
    pub(super) is_here: bool,
}

/// What came of a repair.
pub(super) enum Outcome {
    /// It is whole again, by the copy of that source.
    Repaired(String),
    /// Somebody else has replaced or removed it.
    Replaced,
    /// It is as it was, for that reason.
    Failed(String),
}

/// What is to be repaired.
#[derive(Clone, Copy)]
pub(super) enum Damaged<'a> {
    Blob(&'a ScrubBlob),
    Manifest(Images, &'a ScrubImage),
}

/// Repairs something by the first copy that is whole.
pub(super) async fn repair(
    core: &Core,
    spares: Option<&mut Spares>,
    damaged: Damaged<'_>,
) -> Result<Outcome> {
    let here = Source {
        name: "another registry or repository of this store".to_owned(),
        meta: &core.meta,
        blobs: &core.blobs,
        keys: &core.keys,
        is_here: true,
    };
    let mut why = match by(core, &here, damaged).await? {
        Some(Outcome::Failed(why)) => Some(why),
        Some(outcome) => return Ok(outcome),
        None => None,
    };
    let has_spares = spares.is_some();
    if let Some(spares) = spares {
        let mut at = 0;
        while let Some(spare) = spares.get(core, at).await? {
            match by(core, &spare, damaged).await? {
                Some(Outcome::Failed(text)) => why = Some(text),
                Some(outcome) => return Ok(outcome),
                None => {}
            }
            at += 1;
        }
    }
    Ok(Outcome::Failed(why.unwrap_or_else(|| {
        let nobody = if has_spares {
            "no backup that was asked has it, nor another registry here"
        } else {
            "no other registry here has it"
        };
        nobody.to_owned()
    })))
}

/// Repairs something by the copies of one source; `None` when that has none.
async fn by(core: &Core, source: &Source<'_>, damaged: Damaged<'_>) -> Result<Option<Outcome>> {
    match damaged {
        Damaged::Blob(found) => blob_by(core, source, found).await,
        Damaged::Manifest(of, image) => manifest_by(core, source, of, image).await,
    }
}

async fn blob_by(core: &Core, source: &Source<'_>, found: &ScrubBlob) -> Result<Option<Outcome>> {
    let is_here = source.is_here;
    let (digest, content) = (found.digest, found.content);
    let (mut after, mut outcome) = (Vec::new(), None);
    loop {
        let from = std::mem::take(&mut after);
        let copies = source
            .meta
            .read(move |tx| {
                let except: &[u8] = if is_here { content.as_bytes() } else { &[] };
                Ok::<_, Error>(scrub::copies(tx, (&digest, except), &from, COPIES)?)
            })
            .await?;
        let Some(last) = copies.last() else {
            return Ok(outcome);
        };
        after = last.domain.as_bytes().to_vec();
        for copy in &copies {
            match renew(core, source, found, copy).await {
                Ok(()) => return Ok(Some(Outcome::Repaired(source.name.clone()))),
                Err(Error::Stale) => return Ok(Some(Outcome::Replaced)),
                Err(error) => outcome = Some(failed(source, &error)),
            }
        }
    }
}

fn failed(source: &Source<'_>, error: &Error) -> Outcome {
    Outcome::Failed(format!("by {}: {}", source.name, causes(error)))
}

/// Writes a copy anew and makes it the content of the damaged blob.
async fn renew(
    core: &Core,
    source: &Source<'_>,
    found: &ScrubBlob,
    copy: &ScrubBlob,
) -> Result<()> {
    let (domain, digest, damaged) = (found.domain, found.digest, found.content);
    let kept = core
        .meta
        .query(move |tx| blob::kept(tx, domain, &digest))
        .await?;
    let kept = kept.filter(|kept| kept.content == damaged);
    let kept = kept.ok_or(Error::Stale)?;
    let store = core.blobs.archive_id().filter(|_| kept.is_archived);
    let theirs = source
        .keys
        .domain(source.meta, copy.registry, copy.domain)
        .await?;
    let stores = (source.meta, source.blobs);
    let mut download = open_in(stores, theirs, digest, copy.content, 0..copy.size).await?;
    let keys = core.keys.domain(&core.meta, found.registry, domain).await?;
    let upload = UploadId::from_uuid(core.fresh());
    let sha512 = (digest.algorithm() == Algorithm::Sha512).then_some(Algorithm::Sha512);
    let target = Target {
        upload,
        start: 0,
        most: UploadLimits::NONE.bytes,
        keys: &keys,
        hash: UploadHash::new(sha512),
    };
    let into = store.unwrap_or(core.blobs.store_id());
    let received = receive::own(core, into, target, &mut download).await?;
    let is_segment = matches!(received.piece, Some(Piece::Segment(_)));
    let admission = Admission {
        upload,
        start: 0,
        bytes: received.bytes,
        piece: received.piece.clone(),
        limits: UploadLimits::NONE,
        seals_until: keys.seals_until(),
    };
    let renewed = admit(
        core,
        &received,
        admission,
        found,
        store.is_some() && is_segment,
    )
    .await;
    if renewed.is_err() {
        receive::forget(core, received.piece.as_ref()).await;
    }
    renewed
}

async fn admit(
    core: &Core,
    received: &Received,
    admission: Admission,
    found: &ScrubBlob,
    is_archived: bool,
) -> Result<()> {
    let (of, damaged) = ((found.domain, found.digest), found.content);
    if matching(received.hash.clone(), &[found.digest]).is_none() {
        return Err(Error::internal("the bytes of the copy have another digest"));
    }
    core.meta
        .write(Durability::Durable, move |tx| {
            admission.renew(tx, of, damaged, is_archived)
        })
        .await
}

async fn manifest_by(
    core: &Core,
    source: &Source<'_>,
    of: Images,
    image: &ScrubImage,
) -> Result<Option<Outcome>> {
    let digest = image.digest;
    let mut outcome = None;
    for table in Images::ALL {
        let mut after = Vec::new();
        loop {
            let from = std::mem::take(&mut after);
            let copies = source
                .meta
                .read(move |tx| {
                    Ok::<_, Error>(scrub::same_images(tx, table, &digest, &from, COPIES)?)
                })
                .await?;
            let Some(last) = copies.last() else { break };
            after = last.incarnation.as_bytes().to_vec();
            // The damaged one is among those that are here.
            for copy in copies.iter().filter(|copy| copy.manifest != image.manifest) {
                match opened(source, copy).await {
                    Ok(bytes) => return reseal(core, source, of, image, &bytes).await.map(Some),
                    Err(error) => outcome = Some(failed(source, &error)),
                }
            }
        }
    }
    Ok(outcome)
}

/// Opens a manifest and proves it.
async fn opened(source: &Source<'_>, copy: &ScrubImage) -> Result<Bytes> {
    let keys = source
        .keys
        .domain(source.meta, copy.registry, copy.domain)
        .await?;
    let bytes = manifest::open(&keys, &copy.digest, &copy.manifest)?;
    let mut hash = UploadHash::new(None);
    hash.update(&bytes);
    if matching(hash, &[copy.digest]).is_none() {
        return Err(Error::internal(
            "the manifest of the copy has another digest",
        ));
    }
    Ok(bytes)
}

async fn reseal(
    core: &Core,
    source: &Source<'_>,
    of: Images,
    image: &ScrubImage,
    bytes: &[u8],
) -> Result<Outcome> {
    let keys = core
        .keys
        .domain(&core.meta, image.registry, image.domain)
        .await?;
    let sealed = keys.seal(&manifest_aad(&image.digest), bytes);
    let (sealed, seals_until) = (sealed.map_err(Error::internal)?, keys.seals_until());
    let image = image.clone();
    let renewed = core
        .meta
        .write(Durability::Durable, move |tx| {
            if tx.now() > seals_until {
                return Err(Error::Unavailable);
            }
            Ok(scrub::renew_manifest(tx, of, &image, &sealed)?)
        })
        .await?;
    Ok(if renewed {
        Outcome::Repaired(source.name.clone())
    } else {
        Outcome::Replaced
    })
}

//! Copies a stretch of a blob into a segment of another store, reads it back, and compares.

use std::sync::Arc;

use longshore_store::{
    blob::{FinishedSegment, NewSegment, SegmentRow},
    crypto::DomainKeys,
    hash::UploadHash,
    meta::Durability,
};
use longshore_types::{
    digest::{Algorithm, Digest},
    id::{PhysicalId, UploadId},
    time::Timestamp,
};

use super::relocate::Move;
use crate::{
    core::Core,
    error::{Error, Result},
    storage::{blob as content, move_hash_aad, receive::release},
    table::{domain, doomed, link::KEEP},
};

/// A stretch that is durable in the other store and reads back as it was.
#[derive(Clone, Debug)]
pub(super) struct Copied {
    pub(super) segment: SegmentRow,
    /// Up to which byte of the blob it goes.
    pub(super) end: i64,
    /// The sealed hash state there.
    pub(super) hash: Vec<u8>,
    /// Until when that may go into rows.
    pub(super) seals_until: Timestamp,
}

/// Copies the stretch after what is copied already.
pub(super) async fn stretch(core: &Core, found: &Move) -> Result<Copied> {
    let (domain, physical) = (found.of.domain, PhysicalId::from_uuid(core.fresh()));
    let registry = core
        .meta
        .query(move |tx| Ok::<_, Error>(domain::registry(tx, domain)?))
        .await?;
    let keys = core.keys.domain(&core.meta, registry, domain).await?;
    let store = found.progress.store;
    core.meta
        .write(Durability::Durable, move |tx| {
            let not_before = tx.now().plus(KEEP);
            Ok::<_, Error>(doomed::insert(tx, physical, store, not_before)?)
        })
        .await?;
    let copied = copy(core, found, physical, keys).await;
    if copied.is_err() {
        release(core, (store, physical)).await;
    }
    copied
}

async fn copy(
    core: &Core,
    found: &Move,
    physical: PhysicalId,
    keys: Arc<DomainKeys>,
) -> Result<Copied> {
    let Move { of, progress, blob } = found;
    let before = hash_before(found, &keys)?;
    let end = blob.size.min(progress.copied + core.settings.move_bytes);
    let FinishedSegment { row, hash } = {
        let range = progress.copied.cast_unsigned()..end.cast_unsigned();
        let mut source = content::open(core, keys.clone(), of.digest, blob.content, range).await?;
        let new = NewSegment {
            physical_id: physical,
            upload_id: UploadId::from_uuid(*progress.target.as_uuid()),
            start: progress.copied.cast_unsigned(),
            hash: before.clone(),
        };
        let mut writer = core.blobs.create_in(progress.store, &keys, new).await?;
        while let Some(bytes) = source.next().await {
            writer.write(bytes?).await?;
        }
        writer.finish().await?
    };
    read_back(core, &keys, &row, before, &hash).await?;
    if end == blob.size && !is_of(&hash, &of.digest) {
        return Err(Error::internal(
            "the bytes of a blob are not those of its digest",
        ));
    }
    Ok(Copied {
        end: progress.copied + i64::try_from(row.size).map_err(Error::internal)?,
        segment: row,
        seals_until: keys.seals_until(),
        hash: keys
            .seal(
                &move_hash_aad(found.progress.target.as_bytes()),
                &hash.save(),
            )
            .map_err(Error::internal)?,
    })
}

/// Reads a segment as a pull would, and compares what has come of it with what went into it.
async fn read_back(
    core: &Core,
    keys: &DomainKeys,
    row: &SegmentRow,
    mut hash: UploadHash,
    written: &UploadHash,
) -> Result<()> {
    let mut stream = core.blobs.read(row, keys, 0..row.size).await?;
    while let Some(bytes) = stream.next().await {
        hash.update(&bytes?);
    }
    if hash.save() == written.save() {
        Ok(())
    } else {
        Err(Error::internal(
            "a copied segment reads back as other bytes",
        ))
    }
}

fn hash_before(found: &Move, keys: &DomainKeys) -> Result<UploadHash> {
    let Some(sealed) = &found.progress.hash else {
        return Ok(UploadHash::new(Some(found.of.digest.algorithm())));
    };
    let state = keys
        .open(&move_hash_aad(found.progress.target.as_bytes()), sealed)
        .map_err(Error::internal)?;
    UploadHash::restore(&state).map_err(Error::internal)
}

fn is_of(hash: &UploadHash, digest: &Digest) -> bool {
    let (sha256, sha512) = hash.clone().finish();
    match digest.algorithm() {
        Algorithm::Sha256 => sha256 == *digest,
        Algorithm::Sha512 => sha512 == Some(*digest),
    }
}

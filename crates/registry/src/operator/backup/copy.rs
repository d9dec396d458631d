//! The segments that a snapshot names: those that the place has not yet come to it, each proven on its way.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use longshore_store::{
    blob::{BlobError, CopyError},
    meta::Metadata,
};
use longshore_types::id::ContentId;

use super::{
    BackedUp, BackupError, PARALLEL,
    hold::Held,
    place::{Backup, Piece, Place, pieces},
};
use crate::{
    core::Core,
    keys::Keys,
    operator::{lost, restore::replace},
};

/// What came of one segment.
enum Outcome {
    /// It was there before.
    There,
    /// It is there now.
    Copied,
    /// It is not what its row says, or is missing.
    Damaged(BlobError),
}

pub(super) async fn segments(
    core: &Core,
    place: &Place,
    backup: &Backup,
    held: &Held,
    done: &mut BackedUp,
    progress: &mut impl FnMut(&BackedUp),
) -> Result<(), BackupError> {
    let mut damaged: BTreeMap<ContentId, String> = BTreeMap::new();
    for index in backup.chunks_of("segment") {
        let pieces = pieces(place.rows(backup, index).await?)?;
        let copies = pieces.into_iter().map(|piece| async move {
            let outcome = copy(core, place, &piece).await;
            (piece, outcome)
        });
        let mut copies = stream::iter(copies).buffer_unordered(PARALLEL);
        while let Some((piece, outcome)) = copies.next().await {
            if held.is_lost() {
                held.renew().await?;
            }
            let length = piece.row.stored_len();
            match outcome? {
                Outcome::There => {}
                Outcome::Copied => {
                    done.copied_segments += 1;
                    done.copied_bytes += length;
                }
                Outcome::Damaged(error) => {
                    tracing::error!(%error, "a segment cannot be backed up");
                    done.damaged_segments += 1;
                    damaged.insert(piece.content, error.to_string());
                }
            }
            done.done_segments += 1;
            done.done_bytes += length;
            progress(done);
        }
    }
    if !damaged.is_empty() {
        done.lost = lost::find(&core.meta, &damaged).await?;
    }
    Ok(())
}

async fn copy(core: &Core, place: &Place, piece: &Piece) -> Result<Outcome, BackupError> {
    let (row, to) = (&piece.row, place.segments());
    if to.has(row).await? {
        return Ok(Outcome::There);
    }
    let id = row.physical_id;
    let (registry, domain) = match row.owner() {
        Ok(owner) => owner,
        Err(damage) => return Ok(Outcome::Damaged(BlobError::Damaged(id, damage))),
    };
    let keys = core.keys.domain(&core.meta, registry, domain).await?;
    let from = core.blobs.stored(row.store);
    let from = from.ok_or(BlobError::Unconfigured {
        id,
        store: row.store,
    })?;
    replace(to, row).await?;
    match from.copy(row, &keys, to, |_| {}).await {
        Ok(()) => Ok(Outcome::Copied),
        Err(CopyError::Source(error)) if is_damage(&error) => Ok(Outcome::Damaged(error)),
        Err(CopyError::Source(error) | CopyError::Target(error)) => Err(error.into()),
    }
}

/// Whether an error says that the bytes are gone or wrong, and not that they cannot be had just now.
pub(crate) const fn is_damage(error: &BlobError) -> bool {
    matches!(
        error,
        BlobError::Missing(_) | BlobError::Damaged(..) | BlobError::Keys(..)
    )
}

/// Reads everything that a backup names once more; returns the contents that are missing or damaged, and why.
pub async fn verify(
    place: &Place,
    backup: &Backup,
    keys: &Keys,
    meta: &Metadata,
    mut progress: impl FnMut(u64, u64),
) -> Result<BTreeMap<ContentId, String>, BackupError> {
    let mut damaged = BTreeMap::new();
    let (mut segments, mut bytes) = (0, 0);
    for index in 0..backup.manifest.chunks.len() {
        let pieces = pieces(place.rows(backup, index).await?)?;
        let reads = pieces.into_iter().map(|piece| async move {
            let read = async {
                let owner = piece.row.owner();
                let (registry, domain) =
                    owner.map_err(|damage| BlobError::Damaged(piece.row.physical_id, damage))?;
                let keys = keys.domain(meta, registry, domain).await?;
                Ok::<_, BackupError>(place.segments().verify(&piece.row, &keys).await?)
            };
            let read = read.await;
            (piece, read)
        });
        let mut reads = stream::iter(reads).buffer_unordered(PARALLEL);
        while let Some((piece, read)) = reads.next().await {
            match read {
                Ok(()) => {}
                Err(BackupError::Segment(error)) if is_damage(&error) => {
                    damaged.insert(piece.content, error.to_string());
                }
                Err(error) => return Err(error),
            }
            segments += 1;
            bytes += piece.row.stored_len();
            progress(segments, bytes);
        }
    }
    Ok(damaged)
}

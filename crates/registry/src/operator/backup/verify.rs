//! Everything that a backup names, read again where it lies.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use longshore_store::{blob::BlobError, meta::Metadata};
use longshore_types::id::ContentId;

use super::{
    BackedUp, BackupError, PARALLEL,
    copy::{self, Outcome},
    hold::Held,
    place::{Backup, Piece, Place, pieces},
};
use crate::{core::Core, keys::Keys, operator::lost};

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
            let read = read(place, &piece, keys, meta).await;
            (piece, read)
        });
        let mut reads = stream::iter(reads).buffer_unordered(PARALLEL);
        while let Some((piece, read)) = reads.next().await {
            if let Some(error) = read? {
                damaged.insert(piece.content, error.to_string());
            }
            segments += 1;
            bytes += piece.row.stored_len();
            progress(segments, bytes);
        }
    }
    Ok(damaged)
}

/// Reads everything that a backup names once more, and copies again from the store what is not whole there. `done` has then what
/// neither of the two has whole.
pub(super) async fn heal(
    core: &Core,
    place: &Place,
    backup: &Backup,
    held: &Held,
    done: &mut BackedUp,
    progress: &mut impl FnMut(&BackedUp),
) -> Result<(), BackupError> {
    let mut damaged = BTreeMap::new();
    (done.damaged_segments, done.lost) = (0, Vec::new());
    for index in 0..backup.manifest.chunks.len() {
        let pieces = pieces(place.rows(backup, index).await?)?;
        let reads = pieces.into_iter().map(|piece| async move {
            let healed = read_or_copy(core, place, &piece).await;
            (piece, healed)
        });
        let mut reads = stream::iter(reads).buffer_unordered(PARALLEL);
        while let Some((piece, read)) = reads.next().await {
            if held.is_lost() {
                held.renew().await?;
            }
            match read? {
                Read::Whole => {}
                Read::Healed => done.healed_segments += 1,
                Read::Lost(why) => {
                    done.damaged_segments += 1;
                    damaged.insert(piece.content, why);
                }
            }
            done.verified_segments += 1;
            done.verified_bytes += piece.row.stored_len();
            progress(done);
        }
    }
    if !damaged.is_empty() {
        done.lost = lost::find(&core.meta, &damaged).await?;
    }
    Ok(())
}

/// What came of a segment of the place.
enum Read {
    Whole,
    /// It was not whole, and is now.
    Healed,
    /// Nor is it in the store.
    Lost(String),
}

async fn read_or_copy(core: &Core, place: &Place, piece: &Piece) -> Result<Read, BackupError> {
    let Some(there) = read(place, piece, &core.keys, &core.meta).await? else {
        return Ok(Read::Whole);
    };
    tracing::error!(error = %there, "a segment of the backup is not whole");
    Ok(match copy::bring(core, place, piece).await? {
        Outcome::Damaged(here) => Read::Lost(format!("in the backup {there}, in the store {here}")),
        Outcome::There | Outcome::Copied => Read::Healed,
    })
}

/// Reads a segment; returns what is wrong with it.
async fn read(
    place: &Place,
    piece: &Piece,
    keys: &Keys,
    meta: &Metadata,
) -> Result<Option<BlobError>, BackupError> {
    let row = &piece.row;
    let (registry, domain) = match row.owner() {
        Ok(owner) => owner,
        Err(damage) => return Ok(Some(BlobError::Damaged(row.physical_id, damage))),
    };
    let keys = keys.domain(meta, registry, domain).await?;
    match place.segments().verify(row, &keys).await {
        Ok(()) => Ok(None),
        Err(error) if is_damage(&error) => Ok(Some(error)),
        Err(error) => Err(error.into()),
    }
}

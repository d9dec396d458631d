//! The segments that a snapshot names: those that the place has not yet come to it, each proven on its way.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use longshore_store::blob::{BlobError, CopyError};
use longshore_types::id::ContentId;

use super::{
    BackedUp, BackupError, PARALLEL,
    hold::Held,
    place::{Backup, Piece, Place, pieces},
    verify::is_damage,
};
use crate::{core::Core, operator::lost};

/// What came of one segment.
pub(super) enum Outcome {
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
    if place.segments().has(&piece.row).await? {
        return Ok(Outcome::There);
    }
    bring(core, place, piece).await
}

/// Copies a segment of the store, in place of whatever lies under its name.
pub(super) async fn bring(
    core: &Core,
    place: &Place,
    piece: &Piece,
) -> Result<Outcome, BackupError> {
    let row = &piece.row;
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
    match from.copy_over(row, &keys, place.segments()).await {
        Ok(()) => Ok(Outcome::Copied),
        Err(CopyError::Source(error)) if is_damage(&error) => Ok(Outcome::Damaged(error)),
        Err(CopyError::Source(error) | CopyError::Target(error)) => Err(error.into()),
    }
}

//! The segments that the rows name: those that are not there yet come, each proven on its way.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use longshore_store::{
    blob::{BlobError, Blobs, CopyError, SegmentRow, Stored},
    meta::Metadata,
};
use longshore_types::id::ContentId;

use super::{Restored, refused};
use crate::{
    error::Error,
    keys::Keys,
    operator::backup::{BackupError, PARALLEL, Place, is_damage},
    table::segment,
};

/// How many segments are looked up at a time.
const SEGMENTS: i64 = 500;

/// Brings the segments that the rows name and that are not there yet. Returns the contents that the backup does not have whole.
pub async fn segments(
    place: &Place,
    meta: &Metadata,
    blobs: &Blobs,
    keys: &Keys,
    done: &mut Restored,
    mut progress: impl FnMut(&Restored),
) -> Result<BTreeMap<ContentId, String>, BackupError> {
    let mut damaged = BTreeMap::new();
    let mut after: Vec<u8> = Vec::new();
    loop {
        let from = after.clone();
        let page = meta
            .read(move |tx| Ok::<_, Error>(segment::all(tx, &from, SEGMENTS)?))
            .await?;
        let Some((last, _)) = page.last() else {
            return Ok(damaged);
        };
        after = last.physical_id.as_bytes().to_vec();
        let copies = page.into_iter().map(|(row, content)| async move {
            let brought = bring(place, meta, blobs, keys, &row).await;
            (row, content, brought)
        });
        let mut copies = stream::iter(copies).buffer_unordered(PARALLEL);
        while let Some((row, content, brought)) = copies.next().await {
            let length = row.stored_len();
            match brought {
                Ok(is_new) => {
                    done.copied_segments += u64::from(is_new);
                    done.copied_bytes += if is_new { length } else { 0 };
                }
                Err(BackupError::Segment(error)) if is_damage(&error) => {
                    tracing::error!(%error, "a segment cannot be restored");
                    done.damaged_segments += 1;
                    damaged.insert(content, error.to_string());
                }
                Err(error) => return Err(error),
            }
            done.done_segments += 1;
            done.done_bytes += length;
            progress(done);
        }
    }
}

/// Brings one segment; returns whether it was not there. Damage is that of the backup.
async fn bring(
    place: &Place,
    meta: &Metadata,
    blobs: &Blobs,
    keys: &Keys,
    row: &SegmentRow,
) -> Result<bool, BackupError> {
    let id = row.physical_id;
    let target = blobs.stored(row.store).ok_or_else(|| {
        refused("the backup holds blobs of archived images: say where they go with --archive-blobs")
    })?;
    if target.has(row).await.map_err(unwritten)? {
        return Ok(false);
    }
    let (registry, domain) = row
        .owner()
        .map_err(|damage| BlobError::Damaged(id, damage))?;
    let keys = keys.domain(meta, registry, domain).await?;
    replace(&target, row).await.map_err(unwritten)?;
    match place.segments().copy(row, &keys, &target, |_| {}).await {
        Ok(()) => Ok(true),
        Err(CopyError::Source(error)) => Err(error.into()),
        Err(CopyError::Target(error)) => Err(unwritten(error)),
    }
}

/// Makes room for a segment where one of another length lies.
pub(crate) async fn replace(target: &Stored, row: &SegmentRow) -> Result<(), BlobError> {
    if target.store().stat(row.physical_id).await?.is_some() {
        target.delete(row.physical_id).await?;
    }
    Ok(())
}

/// Whatever is wrong where a segment goes is not the backup's damage.
fn unwritten(error: BlobError) -> BackupError {
    BackupError::Store(Error::internal(error))
}

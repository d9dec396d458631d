//! The segments that the rows name: each is proven where it is, and comes if it is not there, proven on its way.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use longshore_store::{
    blob::{BlobError, Blobs, CopyError, SegmentRow},
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

/// Brings the segments that the rows name and that are not there, whole. Returns the contents that the backup does not have whole.
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

/// Brings one segment; returns whether it was not there, whole. Damage is that of the backup.
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
    let (registry, domain) = row
        .owner()
        .map_err(|damage| BlobError::Damaged(id, damage))?;
    let keys = keys.domain(meta, registry, domain).await?;
    match target.verify(row, &keys).await {
        Ok(()) => return Ok(false),
        Err(error) if is_damage(&error) => {}
        Err(error) => return Err(unwritten(error)),
    }
    match place.segments().copy_over(row, &keys, &target).await {
        Ok(()) => Ok(true),
        Err(CopyError::Source(error)) => Err(error.into()),
        Err(CopyError::Target(error)) => Err(unwritten(error)),
    }
}

/// Whatever is wrong where a segment goes is not the backup's damage.
fn unwritten(error: BlobError) -> BackupError {
    BackupError::Store(Error::internal(error))
}

//! `backup`: a copy of the whole store in another place, made while servers go on.
//!
//! ```text
//! place-id                     what this place is known by
//! lease/N                      who changes a place in a bucket just now
//! pins/…                       who reads there just now
//! blobs/…                      segments as they are in the store, each once, however many backups need it
//! backups/ID/begin             whose backup it is, and its key, wrapped by the master key
//! backups/ID/chunk-000000 …    all rows of one snapshot: lines of JSON, compressed and sealed
//! backups/ID/manifest          written last, authenticated by that key: without it there is no backup
//! ```
//!
//! A hold keeps the files that the snapshot names from the sweeper for as long as the backup takes. Segments are written once
//! under names that nobody has again, so one that is there already is not copied, and a backup that was killed goes on where
//! it was by being made again. Each segment proves itself by its row on its way: what is rotten does not come in. In the place
//! one backup is made at a time: the lock of a directory, or a lease in a bucket, sees to that.

pub(crate) mod chunk;
mod copy;
mod hold;
mod lease;
mod manifest;
mod open;
mod pin;
mod place;
mod prune;
mod snapshot;
mod verify;

use std::sync::Arc;

use longshore_store::{blob::BlobError, crypto::SealingKey, meta};
use serde::Serialize;

use self::{chunk::ChunkKey, hold::Held, manifest::Begin};
pub use self::{
    manifest::Manifest,
    open::Opened,
    pin::Pin,
    place::{Backup, Place},
    verify::verify,
};
pub(crate) use self::{manifest::from_base64, verify::is_damage};
use super::lost::Lost;
use crate::{bootstrap, core::Core, error::Error, keys::KeyCheck};

/// How many segments are on their way at a time.
pub(crate) const PARALLEL: usize = 4;

/// Why there is no backup, or no restore.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The place cannot be read or written.
    #[error("the place of the backups cannot be used")]
    Place(#[source] std::io::Error),
    /// What lies in the place is not what was written.
    #[error("`{name}` in the place of the backups is damaged: {why}")]
    Damaged {
        /// The object.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A segment cannot be read or written for now.
    #[error("a segment cannot be copied")]
    Segment(#[from] BlobError),
    /// The store cannot be used.
    #[error("the store cannot be used")]
    Store(#[from] Error),
    /// The metadata cannot be used.
    #[error("the metadata cannot be used")]
    Metadata(#[from] meta::Error),
    /// It cannot be done as asked.
    #[error("{0}")]
    Refused(String),
}

/// How to back up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// How many backups stay, of those that open; all without it.
    pub keep: Option<usize>,
    /// Whether all of it is read again where it lies, and what is not whole there is copied again.
    pub verify: bool,
}

/// What a backup has done so far.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackedUp {
    /// Its id.
    pub id: String,
    /// The time of the snapshot, as RFC 3339 writes it.
    pub snapshot_at: String,
    /// Rows of the snapshot.
    pub rows: u64,
    /// Bytes of the chunks that hold them.
    pub row_bytes: u64,
    /// Segments that the snapshot names.
    pub segments: u64,
    /// Their bytes, as they are stored.
    pub segment_bytes: u64,
    /// Segments looked at.
    pub done_segments: u64,
    /// Their bytes.
    pub done_bytes: u64,
    /// Of those, segments that were not there before.
    pub copied_segments: u64,
    /// Their bytes.
    pub copied_bytes: u64,
    /// Segments that were read again where they lie.
    pub verified_segments: u64,
    /// Their bytes.
    pub verified_bytes: u64,
    /// Of those, segments that were not whole there, and were copied again from the store.
    pub healed_segments: u64,
    /// Segments that are whole neither in the store nor in the backup.
    pub damaged_segments: u64,
    /// What is damaged by that, and the images that need it; at most a thousand.
    pub lost: Vec<Lost>,
    /// Older backups that were removed.
    pub removed_backups: Vec<String>,
    /// Segments that no backup needs any more, and that were removed.
    pub removed_segments: u64,
    /// Why nothing was removed, or not all, though it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_removed: Option<String>,
}

/// Makes a backup; `progress` is told of what is done. Cancel by dropping it: the hold ends by itself.
pub async fn backup(
    core: &Core,
    place: &Place,
    options: Options,
    progress: impl FnMut(&BackedUp),
) -> Result<BackedUp, BackupError> {
    let identity = bootstrap::identity(&core.meta).await?;
    place.bind(&identity.store_id).await?;
    let held = Held::take(core, place).await?;
    let made = make(core, place, &identity.store_id, options, &held, progress).await;
    let released = held.release().await;
    let done = made?;
    released?;
    Ok(done)
}

async fn make(
    core: &Core,
    place: &Place,
    store_id: &str,
    options: Options,
    held: &Held,
    mut progress: impl FnMut(&BackedUp),
) -> Result<BackedUp, BackupError> {
    let (begin, key) = begin(core, place, store_id, held).await?;
    let mut done = BackedUp {
        id: begin.id.clone(),
        ..BackedUp::default()
    };
    place.put_begin(&begin).await?;
    let key = Arc::new(key);
    let manifest = snapshot::take(core, place, &begin, key.clone(), |rows, bytes| {
        done.rows = rows;
        done.row_bytes = bytes;
        progress(&done);
    })
    .await?;
    if open::key_check(&manifest).is_none_or(|check| !begin.is_under(check)) {
        place.remove_rest(&begin.id).await?;
        return Err(exchanged());
    }
    done.snapshot_at = manifest.snapshot_time().to_rfc3339();
    done.segments = manifest.segments;
    done.segment_bytes = manifest.segment_bytes;
    let mut backup = Backup { manifest, key };
    copy::segments(core, place, &backup, held, &mut done, &mut progress).await?;
    backup.manifest.damaged_segments = done.damaged_segments;
    backup.manifest.copied_bytes = done.copied_bytes;
    // While it lives, nothing went that the snapshot names.
    held.renew().await?;
    place.put_manifest(&backup).await?;
    // Until it was there, whoever came after it did not count it: whoever slept here may miss what that one has removed.
    let is_whole = match held.renew().await {
        Ok(()) => place.check_chunks(&backup).await,
        Err(error) => Err(error),
    };
    if let Err(error) = is_whole {
        place.remove_manifest(&begin.id).await?;
        return Err(error);
    }
    if options.verify {
        verify::heal(core, place, &backup, held, &mut done, &mut progress).await?;
    }
    if done.damaged_segments > 0 {
        let why = "this backup is not whole, and older ones may have what it misses";
        done.not_removed = options.keep.map(|_| why.to_owned());
    } else {
        prune::run(core, place, &backup, options.keep, held, &mut done).await?;
    }
    Ok(done)
}

/// Makes the id and the key of a backup.
async fn begin(
    core: &Core,
    place: &Place,
    store_id: &str,
    held: &Held,
) -> Result<(Begin, ChunkKey), BackupError> {
    let check = core.meta.query(|tx| KeyCheck::get(tx)).await?;
    if check.is_some_and(|check| check.to.is_some()) {
        return Err(exchanged());
    }
    // One that does not open may be anybody's, and has no say in the order.
    let latest = match place.open_latest(&core.keys).await {
        Ok(opened) => Some(opened.backup.manifest.id),
        Err(error) if error.is_about_one() => None,
        Err(error) => return Err(error),
    };
    let begun = place.begun().await?;
    let time = manifest::time_of_id(core.meta.now());
    let mut id = next_id(&time, latest.as_ref());
    while begun.contains_key(&id) {
        id = next_id(&time, Some(&id));
    }
    held.renew().await?;
    let aad = manifest::key_aad(&id);
    let sealed = core.keys.generate(&core.meta, &aad).await?;
    let (wrapped, check) = sealed.apart();
    let key: SealingKey = core.keys.unwrap(&aad, wrapped)?;
    let begin = Begin {
        id: id.clone(),
        store_id: store_id.to_owned(),
        key_check: manifest::hex(check),
        key: manifest::base64(wrapped),
    };
    Ok((begin, ChunkKey::new(key, id)))
}

/// A backup of two master keys opens only with both, and one of them is soon forgotten.
fn exchanged() -> BackupError {
    let text = "the master key is being exchanged: let `longshore rekey` end, and back up then";
    BackupError::Refused(text.to_owned())
}

/// An id that comes after all others of its place that open, whatever the clock says.
fn next_id(time: &str, latest: Option<&String>) -> String {
    let first = format!("{time}-{:06}", 0);
    match latest {
        Some(latest) if *latest >= first => {
            let (time, number) = latest.rsplit_once('-').unwrap_or((latest, "0"));
            let number: u64 = number.parse().unwrap_or_default();
            format!("{time}-{:06}", number + 1)
        }
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::next_id;

    #[test]
    fn a_later_backup_has_a_higher_id() {
        let next = |time: &str, latest: &str| next_id(time, Some(&latest.to_owned()));
        let first = next_id("20261121T200000Z", None);
        assert_eq!(first, "20261121T200000Z-000000");
        assert_eq!(next("20261121T200000Z", &first), "20261121T200000Z-000001");
        assert_eq!(next("20261121T200001Z", &first), "20261121T200001Z-000000");
        // A clock that was set back.
        assert_eq!(next("20261120T000000Z", &first), "20261121T200000Z-000001");
    }
}

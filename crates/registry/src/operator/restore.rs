//! `restore`: makes a store of a backup, on whatever engine and whatever store of segments.
//!
//! The rows come first, in order, with a mark that says how far they are; while it is there no server starts on them. Then come
//! the segments, each proven on its way. A restore that was stopped goes on where it was: rows by the mark, segments by what is
//! there. The last transaction takes the mark away and lets collection pause, so that whatever the store had promised is kept.

mod rows;
mod segments;

use std::collections::BTreeMap;

use longshore_store::meta::{Durability, Metadata};
use longshore_types::id::ContentId;
use serde::Serialize;

pub use self::{
    rows::{begun, rows},
    segments::segments,
};
use super::{
    backup::{Backup, BackupError, from_base64},
    lost::{self, Lost},
};
use crate::{
    bootstrap::RESTORING,
    error::Error,
    table::{
        blob,
        collection_pause::{self, Reason},
        link::KEEP,
        lost as needed, setting,
    },
};

/// How far a restore is.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Restored {
    /// The id of the backup.
    pub id: String,
    /// The time of its snapshot, as RFC 3339 writes it.
    pub snapshot_at: String,
    /// Chunks of rows that there are.
    pub chunks: u64,
    /// Those that are in.
    pub done_chunks: u64,
    /// Segments that there are.
    pub segments: u64,
    /// Their bytes, as they are stored.
    pub segment_bytes: u64,
    /// Those that are looked at.
    pub done_segments: u64,
    /// Their bytes.
    pub done_bytes: u64,
    /// Of those, segments that this run has brought.
    pub copied_segments: u64,
    /// Their bytes.
    pub copied_bytes: u64,
    /// Segments that the backup has not, or not as they were.
    pub damaged_segments: u64,
    /// What is damaged by that, and the images that need it.
    pub lost: Vec<Lost>,
}

impl Restored {
    /// Before anything is done.
    pub fn of(backup: &Backup) -> Self {
        let manifest = &backup.manifest;
        Self {
            id: manifest.id.clone(),
            snapshot_at: manifest.snapshot_time().to_rfc3339(),
            chunks: manifest.chunks.len() as u64,
            segments: manifest.segments,
            segment_bytes: manifest.segment_bytes,
            ..Self::default()
        }
    }
}

/// Tells which blobs are damaged by contents that are, and which images need them.
pub async fn lost(
    meta: &Metadata,
    damaged: &BTreeMap<ContentId, String>,
) -> Result<Vec<Lost>, BackupError> {
    Ok(lost::find(meta, damaged).await?)
}

/// Marks what is lost: such blobs are absent until they are uploaded again, and what was about to become a blob ends.
pub async fn mark_lost(
    meta: &Metadata,
    lost: &[Lost],
    damaged: &BTreeMap<ContentId, String>,
) -> Result<(), BackupError> {
    for lost in lost {
        let (domain, digest, content) = lost.key;
        meta.write(Durability::Durable, move |tx| {
            Ok::<_, Error>(blob::damage(tx, domain, &digest, content)?)
        })
        .await?;
    }
    for content in damaged.keys().copied() {
        meta.write(Durability::Durable, move |tx| needed::forget(tx, content))
            .await?;
    }
    Ok(())
}

/// Ends a restore: from now on a server may start on the store. What it collects waits for a full promise.
pub async fn finish(backup: &Backup, meta: &Metadata) -> Result<(), BackupError> {
    let expected = (backup.manifest.id.clone(), backup.manifest.chunks.len());
    let mut settings = Vec::new();
    for (name, value) in &backup.manifest.settings {
        let value =
            from_base64(value).ok_or_else(|| refused("a fact of the backup is malformed"))?;
        settings.push((name.clone(), value));
    }
    meta.write(Durability::Durable, move |tx| {
        if rows::mark(tx)?.map(|mark| (mark.backup, mark.chunk)) != Some(expected.clone()) {
            return Err(refused("another restore is under way"));
        }
        for (name, value) in &settings {
            setting::put(tx, name, value)?;
        }
        let until = tx.now().plus(KEEP);
        collection_pause::raise(tx, Reason::Restore, until)?;
        Ok(setting::remove(tx, RESTORING)?)
    })
    .await
}

fn refused(text: &str) -> BackupError {
    BackupError::Refused(text.to_owned())
}

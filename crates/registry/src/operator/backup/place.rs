//! The place of backups: which there are, and what belongs to one.

use std::{collections::BTreeMap, io, sync::Arc};

use aws_lc_rs::digest;
use bytes::Bytes;
use longshore_store::{
    blob::{NamedObjects, SegmentRow, Stored},
    crypto,
    meta::dump::Cell,
};
use longshore_types::id::{ContentId, PhysicalId};

use super::{
    BackupError,
    chunk::{self, ChunkKey, TableRows},
    manifest::{Begin, Manifest, hex},
};
use crate::{error::Error, table::segment};

const PLACE_ID: &str = "place-id";
/// Shows whether objects that are there are made again.
const PROBE: &str = "probe";
pub(super) const BACKUPS: &str = "backups";

/// Where backups are kept.
#[derive(Clone, Debug)]
pub struct Place {
    objects: Arc<dyn NamedObjects>,
    segments: Stored,
    is_alone: bool,
}

/// A backup that can be read.
#[derive(Clone, Debug)]
pub struct Backup {
    /// What it says about itself.
    pub manifest: Manifest,
    pub(crate) key: Arc<ChunkKey>,
}

/// A segment with the content that it is a part of.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) row: SegmentRow,
    pub(crate) content: ContentId,
}

impl Place {
    /// Names a place; `is_alone` says that a lock keeps other processes from it.
    pub fn new(objects: Arc<dyn NamedObjects>, segments: Stored, is_alone: bool) -> Self {
        Self {
            objects,
            segments,
            is_alone,
        }
    }

    /// Whether a lock keeps other processes from the place.
    pub(crate) const fn is_alone(&self) -> bool {
        self.is_alone
    }

    pub(crate) const fn segments(&self) -> &Stored {
        &self.segments
    }

    /// Makes sure that the place is this store's; an empty one becomes it.
    pub(crate) async fn bind(&self, store_id: &str) -> Result<(), BackupError> {
        let bound = self.segments.store().bind(&mark(store_id), false).await;
        bound.map_err(BackupError::Place)
    }

    /// Makes sure that the place is the store's, and learns how to tell one segment that is missing from all of them.
    pub(super) async fn bind_to_read(&self, store_id: &str) -> Result<(), BackupError> {
        let store = self.segments.store();
        let bound = store.bind_to_read(&mark(store_id)).await;
        bound.map_err(BackupError::Place)
    }

    /// Returns what the place is known by, wherever it is mounted.
    pub(crate) async fn id(&self) -> Result<String, BackupError> {
        if let Some(kept) = self.get(PLACE_ID).await? {
            return Ok(text(&kept));
        }
        let draw: [u8; 16] = crypto::random().map_err(Error::internal)?;
        let made = self.objects.put(PLACE_ID, hex(&draw).into()).await;
        // Somebody else may have been first.
        made.map_err(BackupError::Place)?;
        let kept = self.get(PLACE_ID).await?;
        kept.map(|kept| text(&kept))
            .ok_or_else(|| damaged(PLACE_ID, "it is gone"))
    }

    /// Returns the ids of all backups that were begun, oldest first, and whether they are complete.
    pub(crate) async fn begun(&self) -> Result<BTreeMap<String, bool>, BackupError> {
        let mut begun: BTreeMap<String, (bool, bool)> = BTreeMap::new();
        for name in self.names(BACKUPS).await? {
            let mut parts = name.split('/').skip(1);
            let is_id = |id: &&str| {
                id.bytes()
                    .all(|byte| byte.is_ascii_digit() || b"TZ-".contains(&byte))
            };
            if let (Some(id), Some(object)) = (parts.next().filter(is_id), parts.next()) {
                let (has_begin, has_manifest) = begun.entry(id.to_owned()).or_default();
                *has_begin |= object == "begin";
                *has_manifest |= object == "manifest";
            }
        }
        // A manifest without the beginning that each of ours has is none.
        let complete = begun.into_iter();
        let complete = complete.map(|(id, (begin, manifest))| (id, begin && manifest));
        Ok(complete.collect())
    }

    pub(crate) async fn put_begin(&self, begin: &Begin) -> Result<(), BackupError> {
        let bytes = serde_json::to_vec(begin).map_err(Error::internal)?;
        let name = format!("{BACKUPS}/{}/begin", begin.id);
        self.put(&name, bytes).await
    }

    /// Keeps the chunk of that number.
    pub(crate) async fn put_chunk(
        &self,
        id: &str,
        index: usize,
        bytes: Vec<u8>,
    ) -> Result<(), BackupError> {
        self.put(&chunk_name(id, index), bytes).await
    }

    /// Makes the backup one.
    pub(crate) async fn put_manifest(&self, backup: &Backup) -> Result<(), BackupError> {
        let mut bytes = serde_json::to_vec(&backup.manifest).map_err(Error::internal)?;
        let mac = hex(&backup.key.mac(&bytes));
        bytes.push(b'\n');
        bytes.extend_from_slice(mac.as_bytes());
        bytes.push(b'\n');
        let name = format!("{BACKUPS}/{}/manifest", backup.manifest.id);
        self.put(&name, bytes).await
    }

    /// Fails unless all chunks of a backup are there.
    pub(crate) async fn check_chunks(&self, backup: &Backup) -> Result<(), BackupError> {
        let id = &backup.manifest.id;
        let names = self.names(&format!("{BACKUPS}/{id}")).await?;
        let chunks = (0..backup.manifest.chunks.len()).map(|index| chunk_name(id, index));
        for name in chunks.chain([format!("{BACKUPS}/{id}/begin")]) {
            if names.binary_search(&name).is_err() {
                return Err(damaged(&name, "it is gone"));
            }
        }
        Ok(())
    }

    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), BackupError> {
        if self.make(name, bytes).await? {
            Ok(())
        } else {
            Err(damaged(name, "it is there already"))
        }
    }

    /// Makes an object; returns whether there was none of that name.
    pub(super) async fn make(&self, name: &str, bytes: Vec<u8>) -> Result<bool, BackupError> {
        let made = self.objects.put(name, bytes.into()).await;
        made.map_err(BackupError::Place)
    }

    pub(super) async fn get(&self, name: &str) -> Result<Option<Bytes>, BackupError> {
        self.objects.get(name).await.map_err(BackupError::Place)
    }

    /// Returns the names of all objects of a folder, in order.
    pub(super) async fn names(&self, folder: &str) -> Result<Vec<String>, BackupError> {
        self.objects.list(folder).await.map_err(BackupError::Place)
    }

    /// Whether of two that make an object of one name only one does, which not every S3 server sees to.
    pub(super) async fn excludes(&self) -> Result<bool, BackupError> {
        for _ in 0..2 {
            let made = self.objects.put(PROBE, Bytes::new()).await;
            if !made.map_err(BackupError::Place)? {
                // One that is asked before whether there is one excludes nobody who asks at the same time.
                return Ok(self.objects.excludes());
            }
        }
        Ok(false)
    }

    /// Removes what nobody needs any more; whoever may not remove leaves it.
    pub(super) async fn remove_if_allowed(&self, name: &str) {
        if let Err(error) = self.remove(name).await {
            tracing::warn!(%error, name, "what nobody needs any more stays in the place of backups");
        }
    }

    pub(super) async fn remove(&self, name: &str) -> Result<(), BackupError> {
        self.objects.delete(name).await.map_err(BackupError::Place)
    }

    /// Returns the rows of a chunk, which are what the manifest says.
    pub(crate) async fn rows(
        &self,
        backup: &Backup,
        index: usize,
    ) -> Result<Vec<TableRows>, BackupError> {
        let name = chunk_name(&backup.manifest.id, index);
        let bytes = self.get(&name).await?;
        let bytes = bytes.ok_or_else(|| damaged(&name, "it is gone"))?;
        let expected = backup.manifest.chunks.get(index);
        if expected.is_none_or(|chunk| chunk.sha256 != sha256(&bytes)) {
            return Err(damaged(&name, "its SHA-256 is another"));
        }
        open_chunk(&backup.key, &name, index, &bytes)
    }

    /// Returns the rows of a chunk of a backup that has no manifest; `None` if it is not there, or was never whole.
    pub(crate) async fn rows_of_part(
        &self,
        key: &ChunkKey,
        id: &str,
        index: usize,
    ) -> Result<Option<Vec<TableRows>>, BackupError> {
        let name = chunk_name(id, index);
        let Some(bytes) = self.get(&name).await? else {
            return Ok(None);
        };
        open_chunk(key, &name, index, &bytes).map(Some)
    }

    /// Removes the manifest of a backup, which is none from then on.
    pub(crate) async fn remove_manifest(&self, id: &str) -> Result<(), BackupError> {
        self.remove(&format!("{BACKUPS}/{id}/manifest")).await
    }

    /// Removes what is left of a backup without a manifest, its key last.
    pub(crate) async fn remove_rest(&self, id: &str) -> Result<(), BackupError> {
        // `begin` comes before `chunk-…` in the order of names.
        for name in self.names(&format!("{BACKUPS}/{id}")).await?.iter().rev() {
            self.remove(name).await?;
        }
        Ok(())
    }

    /// Removes the copy of a segment.
    pub(crate) async fn remove_segment(&self, id: PhysicalId) -> Result<(), BackupError> {
        Ok(self.segments.delete(id).await?)
    }
}

impl Backup {
    /// The numbers of the chunks that hold rows of a table.
    pub(crate) fn chunks_of(&self, table: &str) -> Vec<usize> {
        let chunks = self.manifest.chunks.iter().enumerate();
        let chunks = chunks.filter(|(_, chunk)| chunk.tables.iter().any(|name| name == table));
        chunks.map(|(index, _)| index).collect()
    }
}

/// The segments among the rows of a chunk.
pub(crate) fn pieces(rows: Vec<TableRows>) -> Result<Vec<Piece>, BackupError> {
    let mut pieces = Vec::new();
    for rows in rows.into_iter().filter(|rows| rows.table == "segment") {
        for row in &rows.rows {
            pieces.push(piece(&rows, row)?);
        }
    }
    Ok(pieces)
}

/// Reads a row of `segment`.
pub(crate) fn piece(rows: &TableRows, row: &[Cell]) -> Result<Piece, BackupError> {
    let cell = |name: &str| {
        let at = rows.columns.iter().position(|column| column.name == name);
        at.and_then(|at| row.get(at))
    };
    segment::of_cells(&cell)
        .map(|(row, content)| Piece { row, content })
        .ok_or_else(|| BackupError::Refused("the backup has a segment that cannot be".to_owned()))
}

fn open_chunk(
    key: &ChunkKey,
    name: &str,
    index: usize,
    bytes: &[u8],
) -> Result<Vec<TableRows>, BackupError> {
    let lines = key.open(index, bytes);
    let lines = lines.ok_or_else(|| damaged(name, "it does not open"))?;
    chunk::read(&lines).ok_or_else(|| damaged(name, "it is malformed"))
}

fn chunk_name(id: &str, index: usize) -> String {
    format!("{BACKUPS}/{id}/chunk-{index:06}")
}

/// Another mark than a store's own, so that nothing serves from here.
fn mark(store_id: &str) -> String {
    format!("{store_id} backup")
}

pub(super) fn damaged(name: &str, why: &'static str) -> BackupError {
    BackupError::Damaged {
        name: name.to_owned(),
        why,
    }
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The SHA-256 of bytes, in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

impl From<io::Error> for BackupError {
    fn from(error: io::Error) -> Self {
        Self::Place(error)
    }
}

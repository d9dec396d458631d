//! The place of backups: which there are, and what belongs to one.

use std::{collections::BTreeMap, io, sync::Arc};

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
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
    manifest::{Begin, FORMAT, Manifest, from_base64, from_hex, hex, key_aad},
};
use crate::{
    error::Error,
    keys::{KEY_CHECK, KeyCheck, Keys},
    table::segment,
};

const PLACE_ID: &str = "place-id";
const BACKUPS: &str = "backups";

/// Where backups are kept.
#[derive(Clone, Debug)]
pub struct Place {
    objects: Arc<dyn NamedObjects>,
    segments: Stored,
    is_alone: bool,
}

/// A backup that can be read.
#[derive(Debug)]
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
    /// Names a place; `is_alone` says that no other process can be making a backup there.
    pub fn new(objects: Arc<dyn NamedObjects>, segments: Stored, is_alone: bool) -> Self {
        Self {
            objects,
            segments,
            is_alone,
        }
    }

    pub(crate) const fn is_alone(&self) -> bool {
        self.is_alone
    }

    pub(crate) const fn segments(&self) -> &Stored {
        &self.segments
    }

    /// Makes sure that the place is this store's; an empty one becomes it.
    pub(crate) async fn bind(&self, store_id: &str) -> Result<(), BackupError> {
        // Another mark, so that nothing serves from here.
        let mark = format!("{store_id} backup");
        let bound = self.segments.store().bind(&mark, false).await;
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
        let names = self.objects.list(BACKUPS).await;
        let mut begun = BTreeMap::new();
        for name in names.map_err(BackupError::Place)? {
            let mut parts = name.split('/').skip(1);
            let is_id = |id: &&str| {
                id.bytes()
                    .all(|byte| byte.is_ascii_digit() || b"TZ-".contains(&byte))
            };
            if let (Some(id), Some(object)) = (parts.next().filter(is_id), parts.next()) {
                let is_complete = begun.entry(id.to_owned()).or_insert(false);
                *is_complete |= object == "manifest";
            }
        }
        Ok(begun)
    }

    /// Returns what the complete backups say about themselves, oldest first, unproven: that takes the master key.
    pub async fn list(&self) -> Result<Vec<Manifest>, BackupError> {
        let mut found = Vec::new();
        for (id, is_complete) in self.begun().await? {
            if is_complete {
                let (name, bytes) = self.manifest_of(&id).await?;
                found.push(parse(&name, &bytes)?.0);
            }
        }
        Ok(found)
    }

    /// Opens a complete backup, the latest unless one is named, with the master key that its store had.
    pub async fn open(&self, id: Option<&str>, keys: &Keys) -> Result<Backup, BackupError> {
        let begun = self.begun().await?;
        let complete = begun.iter().filter(|(_, is_complete)| **is_complete);
        let mut complete = complete.map(|(id, _)| id);
        let found = match id {
            Some(wanted) => complete.find(|id| *id == wanted),
            None => complete.next_back(),
        };
        let id = found.ok_or_else(|| {
            BackupError::Refused(match id {
                Some(id) => format!("there is no complete backup `{id}` in this place"),
                None => "there is no complete backup in this place".to_owned(),
            })
        })?;
        let key = self.key(id, keys).await?;
        let (name, bytes) = self.manifest_of(id).await?;
        let (manifest, mac) = parse(&name, &bytes)?;
        let line = bytes.split(|byte| *byte == b'\n').next();
        let expected = hex(&key.mac(line.unwrap_or_default()));
        if verify_slices_are_equal(expected.as_bytes(), mac.as_bytes()).is_err()
            || manifest.id != *id
        {
            return Err(damaged(&name, "it was changed"));
        }
        if manifest.format != FORMAT {
            return Err(BackupError::Refused(format!(
                "the backup is of form {}, this program knows {FORMAT}",
                manifest.format
            )));
        }
        let check = manifest.settings.get(KEY_CHECK);
        let check = check.and_then(|text| from_base64(text));
        let check = check.and_then(|check| KeyCheck::decode(&check).ok());
        if !check.is_some_and(|check| check.is_met_by(keys.master())) {
            return Err(BackupError::Refused(
                "the backup was made while its master key was exchanged: give the other one with --second-master-key-file"
                    .to_owned(),
            ));
        }
        let key = Arc::new(key);
        Ok(Backup { manifest, key })
    }

    /// The key of a backup that was begun.
    pub(crate) async fn key(&self, id: &str, keys: &Keys) -> Result<ChunkKey, BackupError> {
        let name = format!("{BACKUPS}/{id}/begin");
        let bytes = self.get(&name).await?;
        let bytes = bytes.ok_or_else(|| damaged(&name, "it is gone"))?;
        let malformed = || damaged(&name, "it is malformed");
        let begin: Begin = serde_json::from_slice(&bytes).map_err(|_| malformed())?;
        let check = from_hex(&begin.key_check).ok_or_else(malformed)?;
        if keys.master().of_check(&check).is_none() {
            return Err(BackupError::Refused(
                "the master key is not the one that the backup was made under: no backup holds the key itself".to_owned(),
            ));
        }
        let wrapped = from_base64(&begin.key).ok_or_else(malformed)?;
        let key = keys.unwrap(&key_aad(id), &wrapped);
        let key = key.map_err(|_| damaged(&name, "its key does not open"))?;
        Ok(ChunkKey::new(key, id.to_owned()))
    }

    async fn manifest_of(&self, id: &str) -> Result<(String, Bytes), BackupError> {
        let name = format!("{BACKUPS}/{id}/manifest");
        let bytes = self.get(&name).await?;
        let bytes = bytes.ok_or_else(|| damaged(&name, "it is gone"))?;
        Ok((name, bytes))
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

    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), BackupError> {
        let made = self.objects.put(name, bytes.into()).await;
        if made.map_err(BackupError::Place)? {
            Ok(())
        } else {
            Err(damaged(name, "it is there already"))
        }
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, BackupError> {
        self.objects.get(name).await.map_err(BackupError::Place)
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
        let name = format!("{BACKUPS}/{id}/manifest");
        self.objects.delete(&name).await.map_err(BackupError::Place)
    }

    /// Removes what is left of a backup without a manifest, its key last.
    pub(crate) async fn remove_rest(&self, id: &str) -> Result<(), BackupError> {
        let names = self.objects.list(&format!("{BACKUPS}/{id}")).await;
        // `begin` comes before `chunk-…` in the order of names.
        for name in names.map_err(BackupError::Place)?.iter().rev() {
            self.objects
                .delete(name)
                .await
                .map_err(BackupError::Place)?;
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

/// The manifest and what authenticates it, not proven yet.
fn parse(name: &str, bytes: &[u8]) -> Result<(Manifest, String), BackupError> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let manifest = lines
        .next()
        .and_then(|line| serde_json::from_slice(line).ok());
    let mac = lines.next().map(text);
    manifest
        .zip(mac)
        .ok_or_else(|| damaged(name, "it is malformed"))
}

fn damaged(name: &str, why: &'static str) -> BackupError {
    BackupError::Damaged {
        name: name.to_owned(),
        why,
    }
}

fn text(bytes: &[u8]) -> String {
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

//! `restore`: makes a store of a backup, on whatever engine and whatever store of segments.
//!
//! The rows come first, in order, with a mark that says how far they are; while it is there no server starts on them. Then come
//! the segments, each proven on its way. A restore that was stopped goes on where it was: rows by the mark, segments by what is
//! there. The last transaction takes the mark away and lets collection pause, so that whatever the store had promised is kept.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use longshore_store::{
    blob::{BlobError, Blobs, CopyError, SegmentRow, Stored},
    meta::{
        Durability, Metadata, SCHEMA, Tx,
        catalog::{Catalog, Table},
        dump::{self, Cell},
    },
};
use longshore_types::id::ContentId;
use serde::{Deserialize, Serialize};

use super::{
    backup::{Backup, BackupError, PARALLEL, Place, from_base64, is_damage},
    lost::{self, Lost},
};
use crate::{
    bootstrap::{RESTORING, STORE_ID},
    error::Error,
    keys::Keys,
    table::{
        blob,
        collection_pause::{self, Reason},
        link::KEEP,
        lost as needed, segment, setting,
    },
};

/// How many rows one transaction inserts at most.
const ROWS: usize = 2_000;
/// How many segments are looked up at a time.
const SEGMENTS: i64 = 500;

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

/// How far the rows are. Kept in the store; no server starts while it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// The backup.
    backup: String,
    /// The chunk that comes next.
    chunk: usize,
    /// How many of its rows are in.
    rows: usize,
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

/// Puts the rows of a backup into metadata that are empty but for the schema, or goes on doing so. The metadata must have been
/// opened with the schema of the backup: what later ones change is then changed by opening it again.
pub async fn rows(
    place: &Place,
    backup: &Backup,
    meta: &Metadata,
    done: &mut Restored,
    mut progress: impl FnMut(&Restored),
) -> Result<(), BackupError> {
    let catalog = catalog(backup)?;
    let mut mark = begin(backup, &catalog, meta).await?;
    while mark.chunk < backup.manifest.chunks.len() {
        done.done_chunks = mark.chunk as u64;
        progress(done);
        let mut batches: Vec<(Table, Vec<Vec<Cell>>)> = Vec::new();
        let mut skip = mark.rows;
        for mut rows in place.rows(backup, mark.chunk).await? {
            let table = rows.check(catalog.table(&rows.table))?;
            let there = skip.min(rows.rows.len());
            skip -= there;
            let rest = rows.rows.split_off(there);
            let parts = rest.chunks(ROWS).map(|rows| (table.clone(), rows.to_vec()));
            batches.extend(parts);
        }
        for (table, rows) in batches {
            let next = Mark {
                rows: mark.rows + rows.len(),
                ..mark.clone()
            };
            advance(meta, mark, &next, move |tx| dump::insert(tx, &table, &rows)).await?;
            mark = next;
        }
        let next = Mark {
            chunk: mark.chunk + 1,
            rows: 0,
            ..mark.clone()
        };
        advance(meta, mark, &next, |_| Ok(())).await?;
        mark = next;
    }
    done.done_chunks = mark.chunk as u64;
    progress(done);
    count(backup, catalog, meta).await
}

/// The tables of the backup's schema.
fn catalog(backup: &Backup) -> Result<Catalog, BackupError> {
    let version = backup.manifest.schema;
    let migrations = usize::try_from(version).ok();
    let migrations = migrations.and_then(|version| SCHEMA.get(..version));
    let migrations = migrations.ok_or_else(|| {
        let text = format!("the backup is of schema {version}: it takes a newer program");
        BackupError::Refused(text)
    })?;
    Ok(Catalog::of(migrations)?)
}

async fn begin(backup: &Backup, catalog: &Catalog, meta: &Metadata) -> Result<Mark, BackupError> {
    let manifest = &backup.manifest;
    let (id, highest) = (manifest.id.clone(), manifest.highest_time);
    let store_id = manifest.settings.get(STORE_ID).cloned();
    let store_id = store_id.and_then(|text| from_base64(&text));
    let store_id =
        store_id.ok_or_else(|| refused("the backup does not say of which store it is"))?;
    let catalog = catalog.clone();
    let begun = move |tx: &mut dyn Tx| {
        if let Some(mark) = standing(tx, &id, &catalog)? {
            return Ok(mark);
        }
        // A server that starts at the same moment inserts it, too, and one of the two waits for the other.
        if !setting::insert(tx, STORE_ID, &store_id)? {
            return Err(refused("a server has just started on this store"));
        }
        let mark = Mark {
            backup: id.clone(),
            chunk: 0,
            rows: 0,
        };
        put_mark(tx, &mark)?;
        dump::raise_highest_time(tx, highest)?;
        Ok(mark)
    };
    meta.write(Durability::Durable, begun).await
}

/// Returns the mark of this backup, where its restore was begun; refuses a store that holds anything else.
fn standing(tx: &mut dyn Tx, id: &str, catalog: &Catalog) -> Result<Option<Mark>, BackupError> {
    if let Some(mark) = mark(tx)? {
        if mark.backup == id {
            return Ok(Some(mark));
        }
        let text = format!(
            "a restore of the backup `{}` was begun here and did not end",
            mark.backup
        );
        return Err(BackupError::Refused(text));
    }
    let own = ["schema", "clock"];
    let tables = catalog.tables.iter();
    for table in tables.filter(|table| !own.contains(&&*table.name)) {
        if !dump::is_empty(tx, table)? {
            return Err(refused(
                "the store is not empty: a backup is restored into a new one",
            ));
        }
    }
    Ok(None)
}

/// Whether the restore of a backup was begun in this store, which is empty if not; refuses any other.
pub async fn is_begun(backup: &Backup, meta: &Metadata) -> Result<bool, BackupError> {
    let (catalog, id) = (catalog(backup)?, backup.manifest.id.clone());
    meta.read(move |tx| Ok(standing(tx, &id, &catalog)?.is_some()))
        .await
}

/// Does something, and moves the mark with it, if that still stands where it stood.
async fn advance(
    meta: &Metadata,
    from: Mark,
    to: &Mark,
    mut what: impl FnMut(&mut dyn Tx) -> longshore_store::meta::Result<()> + Send + 'static,
) -> Result<(), BackupError> {
    let to = to.clone();
    meta.write(Durability::Soft, move |tx| {
        if mark(tx)?.as_ref() != Some(&from) {
            return Err(refused("another restore is under way"));
        }
        what(tx)?;
        put_mark(tx, &to)
    })
    .await
}

/// Compares the rows with what the backup counted.
async fn count(backup: &Backup, catalog: Catalog, meta: &Metadata) -> Result<(), BackupError> {
    let expected: BTreeMap<String, u64> = backup.manifest.tables.clone();
    meta.read(move |tx| {
        // A newer schema may have changed them already, in a run before.
        if tx.count("SELECT max(version) FROM schema", &[])? != catalog.version {
            return Ok(());
        }
        for (name, expected) in expected {
            let table = catalog.table(&name);
            let table = table.ok_or_else(|| refused("the backup has a table of no schema"))?;
            let found = dump::count(tx, table)?.cast_unsigned();
            if found != expected {
                let text = format!("`{name}` has {found} rows, and the backup says {expected}");
                return Err(BackupError::Refused(text));
            }
        }
        Ok(())
    })
    .await
}

fn mark(tx: &mut dyn Tx) -> Result<Option<Mark>, BackupError> {
    let kept = setting::lock(tx, RESTORING)?;
    let kept = kept.map(|kept| serde_json::from_slice(&kept));
    Ok(kept.transpose().map_err(Error::internal)?)
}

fn put_mark(tx: &mut dyn Tx, mark: &Mark) -> Result<(), BackupError> {
    let text = serde_json::to_vec(mark).map_err(Error::internal)?;
    Ok(setting::put(tx, RESTORING, &text)?)
}

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
    let expected = Mark {
        backup: backup.manifest.id.clone(),
        chunk: backup.manifest.chunks.len(),
        rows: 0,
    };
    let mut settings = Vec::new();
    for (name, value) in &backup.manifest.settings {
        let value =
            from_base64(value).ok_or_else(|| refused("a fact of the backup is malformed"))?;
        settings.push((name.clone(), value));
    }
    meta.write(Durability::Durable, move |tx| {
        if mark(tx)?.as_ref() != Some(&expected) {
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

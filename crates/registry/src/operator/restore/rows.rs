//! The rows of a backup, with the mark that says how far they are.

use std::collections::{BTreeMap, BTreeSet};

use longshore_store::meta::{
    Durability, Metadata, SCHEMA, Tx,
    catalog::{Catalog, Table},
    dump::{self, Cell},
};
use serde::{Deserialize, Serialize};

use super::{Restored, refused};
use crate::{
    bootstrap::{RESTORING, STORE_ID},
    error::Error,
    operator::backup::{Backup, BackupError, Place, from_base64},
    table::setting,
};

/// How many rows one transaction inserts at most.
const ROWS: usize = 2_000;

/// How far the rows are. Kept in the store; no server starts while it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// The backup.
    pub(super) backup: String,
    /// The chunk that comes next.
    pub(super) chunk: usize,
    /// How many of its rows are in.
    pub(super) rows: usize,
    /// The places that its segments may go to: nobody else's were there when the restore began.
    #[serde(default)]
    pub(super) places: BTreeSet<String>,
}

/// Puts the rows of a backup into metadata that are empty but for the schema, or goes on doing so. The metadata must have been
/// opened with the schema of the backup: what later ones change is then changed by opening it again. `places`, whatever they are
/// called by, are where the segments go; they are remembered from before the first row.
pub async fn rows(
    place: &Place,
    backup: &Backup,
    meta: &Metadata,
    places: &[String],
    done: &mut Restored,
    mut progress: impl FnMut(&Restored),
) -> Result<(), BackupError> {
    let catalog = catalog(backup)?;
    let mut mark = begin(backup, &catalog, meta, places).await?;
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

async fn begin(
    backup: &Backup,
    catalog: &Catalog,
    meta: &Metadata,
    places: &[String],
) -> Result<Mark, BackupError> {
    let manifest = &backup.manifest;
    let (id, highest) = (manifest.id.clone(), manifest.highest_time);
    let store_id = manifest.settings.get(STORE_ID).cloned();
    let store_id = store_id.and_then(|text| from_base64(&text));
    let store_id =
        store_id.ok_or_else(|| refused("the backup does not say of which store it is"))?;
    let catalog = catalog.clone();
    let places: BTreeSet<String> = places.iter().cloned().collect();
    let begun = move |tx: &mut dyn Tx| {
        if let Some(mut mark) = standing(tx, &id, &catalog)? {
            mark.places.extend(places.clone());
            put_mark(tx, &mark)?;
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
            places: places.clone(),
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

/// Returns the places of a restore of the backup that was begun in this store, which is empty if none was; refuses any other.
pub async fn begun(
    backup: &Backup,
    meta: &Metadata,
) -> Result<Option<BTreeSet<String>>, BackupError> {
    let (catalog, id) = (catalog(backup)?, backup.manifest.id.clone());
    let mark = meta.read(move |tx| standing(tx, &id, &catalog)).await?;
    Ok(mark.map(|mark| mark.places))
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

pub(super) fn mark(tx: &mut dyn Tx) -> Result<Option<Mark>, BackupError> {
    let kept = setting::lock(tx, RESTORING)?;
    let kept = kept.map(|kept| serde_json::from_slice(&kept));
    Ok(kept.transpose().map_err(Error::internal)?)
}

fn put_mark(tx: &mut dyn Tx, mark: &Mark) -> Result<(), BackupError> {
    let text = serde_json::to_vec(mark).map_err(Error::internal)?;
    Ok(setting::put(tx, RESTORING, &text)?)
}

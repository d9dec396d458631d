//! All rows of one snapshot, read while others write, and kept chunk by chunk.

use std::{
    collections::BTreeMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use longshore_store::meta::{
    SCHEMA, Tx,
    catalog::{Catalog, Table},
    dump::{self, Cell},
};
use tokio::sync::mpsc::{self, Receiver, Sender, error::TrySendError};

use super::{
    BackupError,
    chunk::{ChunkKey, Lines, TableRows},
    manifest::{Begin, ChunkInfo, FORMAT, Manifest, base64},
    place::{Place, piece, sha256},
};
use crate::{core::Core, error::Error, table::setting};

/// What a store has for itself: its schema and clock, files that are to go, its holds, where its operator's commands stand; and
/// its facts, which the manifest has.
const APART: [&str; 6] = [
    "schema",
    "clock",
    "doomed",
    "backup_hold",
    "operator_task",
    "setting",
];
/// How often the engine hears of a snapshot whose rows are not taken: some end a transaction that is idle.
const ALIVE: Duration = Duration::from_secs(5);

/// A chunk on its way.
struct Sealed {
    bytes: Vec<u8>,
    info: ChunkInfo,
    /// Rows so far.
    rows: u64,
}

/// Reads all rows and keeps them; `progress` is told of rows and bytes.
pub(super) async fn take(
    core: &Core,
    place: &Place,
    begin: &Begin,
    key: Arc<ChunkKey>,
    progress: impl FnMut(u64, u64),
) -> Result<Manifest, BackupError> {
    let (send, receive) = mpsc::channel(2);
    let begun = begin.clone();
    let reading = core.meta.read(move |tx| {
        let catalog = Catalog::of(SCHEMA)?;
        let mut snapshot = Snapshot::new(&begun, key, send, tx, &catalog)?;
        for table in catalog.tables {
            if !APART.contains(&&*table.name) {
                snapshot.table(tx, &table)?;
            }
        }
        snapshot.finish(tx)
    });
    let (read, kept) = tokio::join!(reading, keep(place, &begin.id, receive, progress));
    // Whoever cannot keep them ends the reading.
    let chunks = kept?;
    Ok(Manifest { chunks, ..read? })
}

async fn keep(
    place: &Place,
    id: &str,
    mut chunks: Receiver<Sealed>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Vec<ChunkInfo>, BackupError> {
    let mut kept = Vec::new();
    let mut bytes = 0;
    while let Some(chunk) = chunks.recv().await {
        place.put_chunk(id, kept.len(), chunk.bytes).await?;
        bytes += chunk.info.bytes;
        kept.push(chunk.info);
        progress(chunk.rows, bytes);
    }
    Ok(kept)
}

/// A snapshot being read, on the engine's thread.
struct Snapshot {
    key: Arc<ChunkKey>,
    send: Sender<Sealed>,
    lines: Lines,
    chunks: usize,
    rows: u64,
    manifest: Manifest,
}

impl Snapshot {
    fn new(
        begin: &Begin,
        key: Arc<ChunkKey>,
        send: Sender<Sealed>,
        tx: &mut dyn Tx,
        catalog: &Catalog,
    ) -> Result<Self, BackupError> {
        dump::check_version(tx, catalog)?;
        let settings = setting::all(tx)?;
        let settings = settings.into_iter();
        let manifest = Manifest {
            format: FORMAT,
            id: begin.id.clone(),
            store_id: begin.store_id.clone(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            schema: catalog.version,
            snapshot_at: tx.now().as_millis(),
            highest_time: dump::highest_time(tx)?,
            settings: settings
                .map(|(name, value)| (name, base64(&value)))
                .collect(),
            tables: BTreeMap::new(),
            chunks: Vec::new(),
            segments: 0,
            segment_bytes: 0,
            damaged_segments: 0,
            copied_bytes: 0,
        };
        Ok(Self {
            key,
            send,
            lines: Lines::default(),
            chunks: 0,
            rows: 0,
            manifest,
        })
    }

    fn table(&mut self, tx: &mut dyn Tx, table: &Table) -> Result<(), BackupError> {
        let (mut after, mut count): (Option<Vec<Cell>>, u64) = (None, 0);
        loop {
            let page = dump::page(tx, table, after.as_deref())?;
            for row in &page {
                self.row(tx, table, row)?;
            }
            count += page.len() as u64;
            match page.last() {
                Some(last) if page.len() == dump::page_len(table) => {
                    after = Some(dump::key(table, last));
                }
                _ => break,
            }
        }
        self.manifest.tables.insert(table.name.clone(), count);
        Ok(())
    }

    fn row(&mut self, tx: &mut dyn Tx, table: &Table, row: &[Cell]) -> Result<(), BackupError> {
        if table.name == "segment" {
            let rows = TableRows {
                table: table.name.clone(),
                columns: table.columns.clone(),
                rows: Vec::new(),
            };
            self.manifest.segments += 1;
            self.manifest.segment_bytes += piece(&rows, row)?.row.stored_len();
        }
        self.lines.add(table, row)?;
        self.rows += 1;
        if self.lines.is_full() {
            self.chunk(tx)?;
        }
        Ok(())
    }

    /// Hands what has gathered to whoever keeps it.
    fn chunk(&mut self, tx: &mut dyn Tx) -> Result<(), BackupError> {
        let lines = std::mem::take(&mut self.lines);
        let bytes = self.key.seal(self.chunks, &lines.text)?;
        self.chunks += 1;
        let mut chunk = Sealed {
            info: ChunkInfo {
                sha256: sha256(&bytes),
                bytes: bytes.len() as u64,
                tables: lines.tables,
            },
            bytes,
            rows: self.rows,
        };
        let mut alive = Instant::now();
        loop {
            chunk = match self.send.try_send(chunk) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(chunk)) => chunk,
                // Its keeper tells why.
                Err(TrySendError::Closed(_)) => return Err(Error::Unavailable.into()),
            };
            thread::sleep(Duration::from_millis(5));
            if alive.elapsed() > ALIVE {
                tx.count("SELECT 1", &[])?;
                alive = Instant::now();
            }
        }
    }

    fn finish(mut self, tx: &mut dyn Tx) -> Result<Manifest, BackupError> {
        if !self.lines.text.is_empty() {
            self.chunk(tx)?;
        }
        Ok(self.manifest)
    }
}

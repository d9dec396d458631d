//! Chunks: rows of any table as lines of JSON, compressed and sealed.
//!
//! A line that is an object names the table and its columns; the arrays after it are rows. Bytes are written in base64.

use std::io::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use longshore_store::{
    crypto::SealingKey,
    meta::{
        catalog::{ColumnDef, Kind, Table},
        dump::Cell,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::BackupError;
use crate::error::Error;

/// A chunk is full with so many bytes of lines; a row may make it longer by its own length.
const FULL: usize = 4 * 1024 * 1024;
/// How hard lines are compressed: what is sealed in them does not get smaller anyway.
const LEVEL: i32 = 3;

/// Seals and opens the chunks of one backup.
#[derive(Debug)]
pub(crate) struct ChunkKey {
    key: SealingKey,
    backup: String,
}

impl ChunkKey {
    pub(crate) const fn new(key: SealingKey, backup: String) -> Self {
        Self { key, backup }
    }

    /// Compresses and seals lines, as the chunk of that number.
    pub(crate) fn seal(&self, index: usize, lines: &[u8]) -> Result<Vec<u8>, Error> {
        let packed = zstd::bulk::compress(lines, LEVEL).map_err(Error::internal)?;
        self.key
            .seal(&self.aad(index), &packed)
            .map_err(Error::internal)
    }

    /// Opens the chunk of that number; `None` if it is not that.
    pub(crate) fn open(&self, index: usize, sealed: &[u8]) -> Option<Vec<u8>> {
        let packed = self.key.open(&self.aad(index), sealed).ok()?;
        zstd::stream::decode_all(packed.as_slice()).ok()
    }

    /// Authenticates what is not secret.
    pub(crate) fn mac(&self, bytes: &[u8]) -> [u8; 32] {
        self.key.mac(&[
            b"longshore backup manifest\0",
            self.backup.as_bytes(),
            bytes,
        ])
    }

    fn aad(&self, index: usize) -> Vec<u8> {
        format!("longshore backup chunk\0{}\0{index}", self.backup).into_bytes()
    }
}

/// Lines that gather for a chunk.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pub(crate) text: Vec<u8>,
    /// The tables that have rows here.
    pub(crate) tables: Vec<String>,
}

/// What stands before the rows of a table.
#[derive(Serialize, Deserialize)]
struct Header {
    table: String,
    columns: Vec<(String, String)>,
}

impl Lines {
    /// Adds a row.
    pub(crate) fn add(&mut self, table: &Table, row: &[Cell]) -> Result<(), Error> {
        if self.tables.last() != Some(&table.name) {
            self.tables.push(table.name.clone());
            let columns = table.columns.iter();
            let columns = columns.map(|column| (column.name.clone(), name(column.kind).to_owned()));
            let header = Header {
                table: table.name.clone(),
                columns: columns.collect(),
            };
            serde_json::to_writer(&mut self.text, &header).map_err(Error::internal)?;
            self.text.push(b'\n');
        }
        for (at, cell) in row.iter().enumerate() {
            self.text.push(if at == 0 { b'[' } else { b',' });
            let written = match cell {
                Cell::Null => self.text.write_all(b"null"),
                Cell::Int(int) => write!(self.text, "{int}"),
                Cell::Text(text) => serde_json::to_writer(&mut self.text, text).map_err(Into::into),
                Cell::Blob(blob) => write!(self.text, "\"{}\"", STANDARD_NO_PAD.encode(blob)),
            };
            written.map_err(Error::internal)?;
        }
        self.text.extend_from_slice(b"]\n");
        Ok(())
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.text.len() >= FULL
    }
}

/// Rows of one table.
#[derive(Debug)]
pub(crate) struct TableRows {
    pub(crate) table: String,
    pub(crate) columns: Vec<ColumnDef>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

/// Reads the lines of a chunk.
pub(crate) fn read(lines: &[u8]) -> Option<Vec<TableRows>> {
    let mut all: Vec<TableRows> = Vec::new();
    let lines = lines.split(|byte| *byte == b'\n');
    for line in lines.filter(|line| !line.is_empty()) {
        if line.starts_with(b"{") {
            let header: Header = serde_json::from_slice(line).ok()?;
            let columns = header.columns.into_iter().map(|(name, kind)| {
                let kind = kind_of(&kind)?;
                Some(ColumnDef { name, kind })
            });
            all.push(TableRows {
                table: header.table,
                columns: columns.collect::<Option<_>>()?,
                rows: Vec::new(),
            });
            continue;
        }
        let rows = all.last_mut()?;
        let values: Vec<Value> = serde_json::from_slice(line).ok()?;
        if values.len() != rows.columns.len() {
            return None;
        }
        let cells = values.into_iter().zip(&rows.columns);
        let cells = cells.map(|(value, column)| cell(value, column.kind));
        let row = cells.collect::<Option<_>>()?;
        rows.rows.push(row);
    }
    Some(all)
}

fn cell(value: Value, kind: Kind) -> Option<Cell> {
    Some(match (value, kind) {
        (Value::Null, _) => Cell::Null,
        (Value::Number(number), Kind::Int) => Cell::Int(number.as_i64()?),
        (Value::String(text), Kind::Text) => Cell::Text(text),
        (Value::String(text), Kind::Blob) => Cell::Blob(STANDARD_NO_PAD.decode(text).ok()?),
        _ => return None,
    })
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Int => "INT",
        Kind::Text => "TEXT",
        Kind::Blob => "BLOB",
    }
}

fn kind_of(name: &str) -> Option<Kind> {
    [Kind::Int, Kind::Text, Kind::Blob]
        .into_iter()
        .find(|kind| self::name(*kind) == name)
}

impl TableRows {
    /// The table that these are rows of, which must be as it is in the catalog.
    pub(crate) fn check(&self, table: Option<&Table>) -> Result<Table, BackupError> {
        match table {
            Some(table) if table.columns == self.columns => Ok(table.clone()),
            _ => Err(BackupError::Refused(format!(
                "the backup has a table `{}` of another form than its schema says",
                self.table
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let column = |name: &str, kind| ColumnDef {
            name: name.to_owned(),
            kind,
        };
        Table {
            name: "t".to_owned(),
            columns: vec![
                column("a", Kind::Int),
                column("b", Kind::Text),
                column("c", Kind::Blob),
            ],
            key: vec![0],
        }
    }

    #[test]
    fn rows_come_back_as_they_went_in_and_a_changed_chunk_does_not_open() {
        let rows = vec![
            vec![
                Cell::Int(i64::MIN),
                Cell::Text("é\n\"\\".to_owned()),
                Cell::Null,
            ],
            vec![
                Cell::Int(i64::MAX),
                Cell::Text(String::new()),
                Cell::Blob(vec![0, 255, 7]),
            ],
            vec![Cell::Null, Cell::Null, Cell::Blob(Vec::new())],
        ];
        let mut lines = Lines::default();
        for row in &rows {
            lines.add(&table(), row).unwrap();
        }
        let key = ChunkKey::new(SealingKey::from_bytes([7; 32]), "one".to_owned());
        let sealed = key.seal(3, &lines.text).unwrap();
        let read = read(&key.open(3, &sealed).unwrap()).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].rows, rows);
        read[0].check(Some(&table())).unwrap();
        read[0].check(None).unwrap_err();
        assert!(key.open(4, &sealed).is_none());
        let other = ChunkKey::new(SealingKey::from_bytes([7; 32]), "two".to_owned());
        assert!(other.open(3, &sealed).is_none());
        let mut changed = sealed;
        changed[60] ^= 1;
        assert!(key.open(3, &changed).is_none());
    }
}

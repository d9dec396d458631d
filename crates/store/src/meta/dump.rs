//! Rows apart from any engine: read from one snapshot in the order of their keys, and written into another store.

use super::catalog::{Catalog, Kind, Table};
use super::error::{Error, Result};
use super::row::Columns;
use super::tx::Tx;
use super::value::Value;

/// How many rows one statement reads: an engine may hold them all in memory.
const PAGE: usize = 500;
/// Of tables whose rows may hold megabytes.
const WIDE_PAGE: usize = 16;
const WIDE: [&str; 3] = ["image", "expired_image", "repository_logo"];
/// How many arguments a statement takes at most.
const ARGUMENTS: usize = 900;

/// A value that a row holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// NULL.
    Null,
    /// An integer.
    Int(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl<'a> From<&'a Cell> for Value<'a> {
    fn from(cell: &'a Cell) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Int(int) => Self::Int(*int),
            Cell::Text(text) => Self::Text(text),
            Cell::Blob(blob) => Self::Blob(blob),
        }
    }
}

/// Checks that the store is of the catalog's very schema: columns that this program does not know would be left out.
pub fn check_version(tx: &mut dyn Tx, catalog: &Catalog) -> Result<()> {
    let version = tx.count("SELECT max(version) FROM schema", &[])?;
    if version > catalog.version {
        return Err(Error::TooNew {
            needs: version,
            knows: catalog.version,
        });
    }
    Ok(())
}

/// Returns up to a page of rows of a table that come after the one with this key, in the order of keys; from the first
/// without one. Shorter than [`page_len`], it is the last.
pub fn page(tx: &mut dyn Tx, table: &Table, after: Option<&[Cell]>) -> Result<Vec<Vec<Cell>>> {
    let names: Vec<&str> = table.columns.iter().map(|column| &*column.name).collect();
    let key: Vec<&str> = table
        .key
        .iter()
        .filter_map(|at| names.get(*at).copied())
        .collect();
    let key_list = key.join(", ");
    let marks: Vec<String> = (1..=key.len()).map(|number| format!("?{number}")).collect();
    let wanted = match after {
        Some(_) => format!("WHERE ({key_list}) > ({})", marks.join(", ")),
        None => String::new(),
    };
    let sql = format!(
        "SELECT {} FROM {} {wanted} ORDER BY {key_list} LIMIT {}",
        names.join(", "),
        table.name,
        page_len(table)
    );
    let args: Vec<Value<'_>> = after.unwrap_or_default().iter().map(Value::from).collect();
    let mut rows = Vec::new();
    tx.query(&sql, &args, &mut |columns| {
        rows.push(read(table, columns)?);
        Ok(())
    })?;
    Ok(rows)
}

/// Returns how many rows a page has at most.
pub fn page_len(table: &Table) -> usize {
    if WIDE.contains(&&*table.name) {
        WIDE_PAGE
    } else {
        PAGE
    }
}

/// Returns the key of a row.
pub fn key(table: &Table, row: &[Cell]) -> Vec<Cell> {
    table
        .key
        .iter()
        .filter_map(|at| row.get(*at).cloned())
        .collect()
}

fn read(table: &Table, columns: &dyn Columns) -> Result<Vec<Cell>> {
    let cell = |(at, column): (usize, &super::catalog::ColumnDef)| {
        if columns.is_null(at)? {
            return Ok(Cell::Null);
        }
        Ok(match column.kind {
            Kind::Int => Cell::Int(columns.int(at)?),
            Kind::Text => Cell::Text(columns.text(at)?.to_owned()),
            Kind::Blob => Cell::Blob(columns.blob(at)?.to_vec()),
        })
    };
    table.columns.iter().enumerate().map(cell).collect()
}

/// Inserts rows; one that is there already, or breaks a constraint, is an error.
pub fn insert(tx: &mut dyn Tx, table: &Table, rows: &[Vec<Cell>]) -> Result<()> {
    let names: Vec<&str> = table.columns.iter().map(|column| &*column.name).collect();
    let width = names.len();
    for rows in rows.chunks((ARGUMENTS / width).max(1)) {
        let tuple = |at: usize| {
            let marks: Vec<String> = (1..=width)
                .map(|number| format!("?{}", at * width + number))
                .collect();
            format!("({})", marks.join(","))
        };
        let tuples: Vec<String> = (0..rows.len()).map(tuple).collect();
        let sql = format!(
            "INSERT INTO {} ({}) VALUES {}",
            table.name,
            names.join(", "),
            tuples.join(",")
        );
        let args: Vec<Value<'_>> = rows.iter().flatten().map(Value::from).collect();
        tx.execute(&sql, &args)?;
    }
    Ok(())
}

/// Returns how many rows a table has.
pub fn count(tx: &mut dyn Tx, table: &Table) -> Result<i64> {
    tx.count(&format!("SELECT count(*) FROM {}", table.name), &[])
}

/// Returns whether a table has no row.
pub fn is_empty(tx: &mut dyn Tx, table: &Table) -> Result<bool> {
    let sql = format!("SELECT 1 FROM {} LIMIT 1", table.name);
    Ok(tx.row::<i64>(&sql, &[])?.is_none())
}

/// Returns the highest time that the store has kept.
pub fn highest_time(tx: &mut dyn Tx) -> Result<i64> {
    tx.count("SELECT highest FROM clock WHERE id = 1", &[])
}

/// Raises the highest time that the store has kept: it goes by it from when it is opened the next time.
pub fn raise_highest_time(tx: &mut dyn Tx, millis: i64) -> Result<()> {
    tx.execute(
        "UPDATE clock SET highest = CASE WHEN highest < ?1 THEN ?1 ELSE highest END WHERE id = 1",
        &[millis.into()],
    )
    .map(drop)
}

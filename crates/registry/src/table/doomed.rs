//! Physical ids whose file is to go, and those whose file is about to be made.

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{id::PhysicalId, time::Timestamp};

use super::args;

/// A file to remove.
#[derive(Debug)]
pub(crate) struct Doomed {
    pub(crate) physical: PhysicalId,
}

impl Row for Doomed {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            physical: PhysicalId::from_slice(columns.blob(0)?)
                .map_err(|_| Error::corrupt("doomed.physical"))?,
        })
    }
}

/// Records `physical`, whose file may go once `not_before` has passed.
pub(crate) fn insert(tx: &mut dyn Tx, physical: PhysicalId, not_before: Timestamp) -> Result<()> {
    let sql = "INSERT INTO doomed (physical, store, not_before) VALUES (?1, 0, ?2)";
    tx.execute(sql, args![physical.as_bytes(), not_before])
        .map(drop)
}

/// Takes `physical` back from the doomed, to become a segment; returns whether its time had not come.
///
/// INVARIANT: the sweeper removes files only of rows whose time has come, and time does not run backwards, so a
/// file that is claimed is never removed.
pub(crate) fn claim(tx: &mut dyn Tx, physical: PhysicalId) -> Result<bool> {
    let now = tx.now();
    let sql = "DELETE FROM doomed WHERE physical = ?1 AND not_before > ?2";
    Ok(tx.execute(sql, args![physical.as_bytes(), now])? == 1)
}

/// Forgets `physical`, whose file has been removed.
pub(crate) fn forget(tx: &mut dyn Tx, physical: PhysicalId) -> Result<()> {
    tx.execute(
        "DELETE FROM doomed WHERE physical = ?1",
        args![physical.as_bytes()],
    )
    .map(drop)
}

/// Lets the file of `physical`, which no row ever named, go at once.
pub(crate) fn release(tx: &mut dyn Tx, physical: PhysicalId) -> Result<()> {
    let now = tx.now();
    tx.execute(
        "UPDATE doomed SET not_before = ?2 WHERE physical = ?1",
        args![physical.as_bytes(), now],
    )
    .map(drop)
}

/// Dooms all segments of a content.
pub(crate) fn content(tx: &mut dyn Tx, content: &[u8], not_before: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO doomed (physical, store, not_before) SELECT physical, store, ?2 FROM segment WHERE content = ?1",
        args![content, not_before],
    )?;
    tx.execute("DELETE FROM segment WHERE content = ?1", args![content])?;
    tx.execute(
        "DELETE FROM inline_piece WHERE content = ?1",
        args![content],
    )
    .map(drop)
}

/// Returns up to `limit` files that may go now.
pub(crate) fn due(tx: &mut dyn Tx, limit: i64) -> Result<Vec<Doomed>> {
    let now = tx.now();
    tx.rows(
        "SELECT physical FROM doomed WHERE not_before <= ?1 ORDER BY not_before LIMIT ?2",
        args![now, limit],
    )
}

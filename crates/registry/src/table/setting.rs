//! Facts about the store.

use longshore_store::meta::{Result, Tx};

use super::args;

/// Returns the value of `name`.
pub(crate) fn get(tx: &mut dyn Tx, name: &str) -> Result<Option<Vec<u8>>> {
    tx.row("SELECT value FROM setting WHERE name = ?1", args![name])
}

/// Stores `value` unless there is one already; returns whether it did.
pub(crate) fn insert(tx: &mut dyn Tx, name: &str, value: &[u8]) -> Result<bool> {
    let inserted = tx.execute(
        "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        args![name, value],
    )?;
    Ok(inserted == 1)
}

/// Returns the value of `name`, and keeps it as it is until the transaction ends.
pub(crate) fn hold(tx: &mut dyn Tx, name: &str) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT value FROM setting WHERE name = ?1 /*for share*/";
    tx.row(sql, args![name])
}

/// Puts `next` in the place of `value`; returns whether that was the value.
pub(crate) fn replace(tx: &mut dyn Tx, name: &str, value: &[u8], next: &[u8]) -> Result<bool> {
    let sql = "UPDATE setting SET value = ?3 WHERE name = ?1 AND value = ?2";
    Ok(tx.execute(sql, args![name, value, next])? == 1)
}

/// Stores `value`, in place of any other.
pub(crate) fn put(tx: &mut dyn Tx, name: &str, value: &[u8]) -> Result<()> {
    tx.execute(
        "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        args![name, value],
    )
    .map(drop)
}

/// Forgets the value of `name`.
pub(crate) fn remove(tx: &mut dyn Tx, name: &str) -> Result<()> {
    tx.execute("DELETE FROM setting WHERE name = ?1", args![name])
        .map(drop)
}

/// Returns all values.
pub(crate) fn all(tx: &mut dyn Tx) -> Result<Vec<(String, Vec<u8>)>> {
    tx.rows("SELECT name, value FROM setting ORDER BY name", args![])
}

/// Returns the value of `name`, which nobody else changes until the transaction ends.
pub(crate) fn lock(tx: &mut dyn Tx, name: &str) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT value FROM setting WHERE name = ?1 /*for update*/";
    tx.row(sql, args![name])
}

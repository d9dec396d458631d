//! Where commands of the operator stand.

use longshore_store::meta::{Result, Tx};

use super::args;

/// Returns what was kept of a command, if it was begun and did not end.
pub(crate) fn get(tx: &mut dyn Tx, name: &str) -> Result<Option<String>> {
    tx.row(
        "SELECT state FROM operator_task WHERE name = ?1",
        args![name],
    )
}

/// Keeps where a command stands.
pub(crate) fn put(tx: &mut dyn Tx, name: &str, state: &str) -> Result<()> {
    let now = tx.now();
    tx.execute(
        "INSERT INTO operator_task (name, state, updated_at) VALUES (?1, ?2, ?3) \
         ON CONFLICT (name) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at",
        args![name, state, now],
    )
    .map(drop)
}

/// Forgets a command that has ended.
pub(crate) fn remove(tx: &mut dyn Tx, name: &str) -> Result<()> {
    tx.execute("DELETE FROM operator_task WHERE name = ?1", args![name])
        .map(drop)
}

/// Forgets up to `limit` whose names begin like this; returns how many it were.
pub(crate) fn remove_some(tx: &mut dyn Tx, prefix: &str, limit: i64) -> Result<u64> {
    let length = prefix.chars().count();
    let sql = format!(
        "DELETE FROM operator_task WHERE name IN \
         (SELECT name FROM operator_task WHERE substr(name, 1, {length}) = ?1 LIMIT ?2)"
    );
    tx.execute(&sql, args![prefix, limit])
}

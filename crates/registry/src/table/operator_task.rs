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

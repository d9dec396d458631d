//! Keys that seal what leaves the server and comes back.

use longshore_store::meta::{Result, Tx};

use super::args;

/// Returns all versions for `purpose`, sealed; stores `first` as version 1 when there is none.
pub(crate) fn ensure(tx: &mut dyn Tx, purpose: &str, first: &[u8]) -> Result<Vec<(i64, Vec<u8>)>> {
    let now = tx.now();
    tx.execute(
        "INSERT INTO sealing_key (purpose, version, sealed, created_at) VALUES (?1, 1, ?2, ?3) ON CONFLICT DO NOTHING",
        args![purpose, first, now],
    )?;
    tx.rows(
        "SELECT version, sealed FROM sealing_key WHERE purpose = ?1",
        args![purpose],
    )
}

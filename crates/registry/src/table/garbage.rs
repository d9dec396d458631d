//! What is due to be collected, counted for the operator.

use std::time::Duration;

use longshore_store::meta::{Result, Tx};

use super::{args, link::KEEP};
use crate::operator::gc::Garbage;

/// Counts what the sweepers would take now. Reads all of it, unlike they do.
pub(crate) fn due(tx: &mut dyn Tx, settling: Duration) -> Result<Garbage> {
    let now = tx.now();
    let count = |tx: &mut dyn Tx, sql: &str, at| -> Result<u64> {
        Ok(tx
            .row::<i64>(sql, args![at])?
            .unwrap_or_default()
            .cast_unsigned())
    };
    let uploads = count(
        tx,
        "SELECT count(*) FROM upload WHERE touched_at < ?1",
        now.minus(KEEP),
    )?;
    let links = count(
        tx,
        "SELECT count(*) FROM link l WHERE l.keep_until <= ?1 AND NOT EXISTS \
         (SELECT 1 FROM image_layer x WHERE x.incarnation = l.incarnation AND x.layer = l.digest) AND NOT EXISTS \
         (SELECT 1 FROM expired_layer e WHERE e.incarnation = l.incarnation AND e.layer = l.digest)",
        now,
    )?;
    let blobs: Option<(i64, i64)> = tx.row(
        "SELECT count(*), CAST(coalesce(sum(b.size), 0) AS BIGINT) FROM blob b WHERE NOT EXISTS \
         (SELECT 1 FROM link l WHERE l.domain = b.domain AND l.digest = b.digest)",
        args![],
    )?;
    let (blobs, bytes) = blobs.unwrap_or_default();
    let files = count(
        tx,
        "SELECT count(*) FROM doomed WHERE not_before <= ?1",
        now.minus(settling),
    )?;
    Ok(Garbage {
        uploads,
        links,
        blobs: blobs.cast_unsigned(),
        bytes: bytes.cast_unsigned(),
        files,
        unknown_files: None,
        paused_until: None,
    })
}

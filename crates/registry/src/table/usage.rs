//! Last uses of access keys and roles. They decide nothing, so they raise no version.

use longshore_store::meta::{Result, Tx};

use super::args;
use crate::usage::{Use, Used};

/// Writes a use, unless a later one is there: replicas write in any order. What is gone is passed over.
pub(crate) fn put(tx: &mut dyn Tx, id: &str, last: &Use) -> Result<()> {
    let region = last.region.as_str();
    match last.of {
        Used::Key => tx.execute(
            "UPDATE access_key SET last_used_at = ?2, last_used_region = ?3, last_used_service = ?4 \
             WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at <= ?2)",
            args![id, last.at, region, last.service],
        ),
        Used::Role => tx.execute(
            "UPDATE principal SET last_used_at = ?2, last_used_region = ?3 \
             WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at <= ?2)",
            args![id, last.at, region],
        ),
    }
    .map(drop)
}

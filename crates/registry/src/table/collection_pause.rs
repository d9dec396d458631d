//! Until when nothing is collected, for every server and command.

use longshore_store::meta::{Result, Tx};
use longshore_types::time::Timestamp;

use super::args;

/// Why collection pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The clock has jumped.
    Clock,
    /// The store was restored from a backup.
    Restore,
}

impl Reason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Restore => "restore",
        }
    }
}

/// Pauses collection until a time at least.
pub(crate) fn raise(tx: &mut dyn Tx, reason: Reason, until: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO collection_pause (reason, paused_until) VALUES (?1, ?2) ON CONFLICT (reason) DO UPDATE SET paused_until = \
         CASE WHEN collection_pause.paused_until < excluded.paused_until THEN excluded.paused_until ELSE collection_pause.paused_until END",
        args![reason.as_str(), until],
    )
    .map(drop)
}

/// Returns until when collection pauses; a time that has passed when it does not.
pub(crate) fn until(tx: &mut dyn Tx) -> Result<Timestamp> {
    let sql = "SELECT MAX(paused_until) FROM collection_pause";
    let until: Option<Option<Timestamp>> = tx.row(sql, args![])?;
    Ok(until.flatten().unwrap_or_default())
}

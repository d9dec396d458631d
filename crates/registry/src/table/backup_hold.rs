//! Backups under way: leases by which no file goes that they may still want to read.

use std::time::Duration;

use longshore_store::meta::{Result, Tx};

use super::args;

/// How long a hold lives that is not renewed: that of a backup which was killed ends by itself.
pub(crate) const LEASE: Duration = Duration::from_mins(2);
/// A transaction that dooms a segment may have begun so long before it is committed: what it says was a segment until then was
/// one still in a snapshot taken in between.
const MARGIN: Duration = Duration::from_hours(1);

/// Who holds, and where what is held goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    /// The id of the place.
    pub(crate) place: String,
    /// Made for this hold alone.
    pub(crate) owner: [u8; 16],
}

/// Takes a hold in place of any other for the place, whose owner is known to be gone.
pub(crate) fn take(tx: &mut dyn Tx, hold: &Hold) -> Result<()> {
    let now = tx.now();
    tx.execute("DELETE FROM backup_hold WHERE held_until <= ?1", args![now])?;
    tx.execute(
        "INSERT INTO backup_hold (place, owner, held_since, held_until) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (place) DO UPDATE \
         SET owner = excluded.owner, held_since = excluded.held_since, held_until = excluded.held_until",
        args![&hold.place, &hold.owner, now, now.plus(LEASE)],
    )
    .map(drop)
}

/// Lets a hold live on; returns whether it lived.
pub(crate) fn renew(tx: &mut dyn Tx, hold: &Hold) -> Result<bool> {
    let now = tx.now();
    let renewed = tx.execute(
        "UPDATE backup_hold SET held_until = ?4 WHERE place = ?1 AND owner = ?2 AND held_until > ?3",
        args![&hold.place, &hold.owner, now, now.plus(LEASE)],
    )?;
    Ok(renewed == 1)
}

/// Ends a hold.
pub(crate) fn release(tx: &mut dyn Tx, hold: &Hold) -> Result<()> {
    let sql = "DELETE FROM backup_hold WHERE place = ?1 AND owner = ?2";
    tx.execute(sql, args![&hold.place, &hold.owner]).map(drop)
}

/// SQL for a time: files that were segments until then, or later, stay. It is the end of time while there is no hold; `now` is the
/// parameter of the present.
///
/// It is a part of the statement that takes files, so that both see the same moment: whoever sees that a file is doomed which a
/// snapshot names sees the hold, too, that was there before the snapshot.
pub(crate) fn protects_from(now: &str) -> String {
    format!(
        "COALESCE((SELECT MIN(held_since) - {} FROM backup_hold WHERE held_until > {now}), {})",
        MARGIN.as_millis(),
        i64::MAX
    )
}

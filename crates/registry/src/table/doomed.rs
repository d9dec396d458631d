//! Physical ids whose file is to go, and those whose file is about to be made.

use std::time::Duration;

use longshore_store::{
    meta::{Error, Result, Tx},
    soak::Guard,
};
use longshore_types::{id::PhysicalId, time::Timestamp};

use super::{args, backup_hold, link::KEEP};

/// How far into the past a row is set whose file is being removed.
const PAST: Duration = Duration::from_hours(1);

/// When the file of a segment may go that nobody needs from now on: reads of it may be under way.
pub(crate) fn after_grace(now: Timestamp) -> Timestamp {
    if Guard::Grace.holds() {
        now.plus(KEEP)
    } else {
        now
    }
}

/// Records `physical`, whose file in a store may go once `not_before` has passed.
pub(crate) fn insert(
    tx: &mut dyn Tx,
    physical: PhysicalId,
    store: u32,
    not_before: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO doomed (physical, store, not_before) VALUES (?1, ?2, ?3)";
    let args = args![physical.as_bytes(), i64::from(store), not_before];
    tx.execute(sql, args).map(drop)
}

/// Takes `physical` back from the doomed, to become a segment; returns whether its time had not come.
///
/// INVARIANT: the sweeper removes files only of rows that it took in a write of its own once their time had come, and
/// time does not run backwards, so a file that is claimed is never removed.
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

/// Lets the file of `physical`, which is to be no segment, go. Its row may have gone before the file was made, if that took
/// longer than a day: then it gets another.
pub(crate) fn release(tx: &mut dyn Tx, physical: PhysicalId, store: u32) -> Result<()> {
    let now = tx.now();
    let released = tx.execute(
        "UPDATE doomed SET not_before = ?2 WHERE physical = ?1 AND not_before > ?2",
        args![physical.as_bytes(), now],
    )?;
    if released == 0 {
        doom_unknown(tx, physical, store, now)?;
    }
    Ok(())
}

/// Dooms a file that no row names; returns whether none did.
///
/// INVARIANT: whoever takes such a file, be it to become a segment, takes it by this. Of two at once one waits for the other
/// here, and looks at the segments in a later statement, which sees what the other has done.
pub(crate) fn doom_unknown(
    tx: &mut dyn Tx,
    physical: PhysicalId,
    store: u32,
    not_before: Timestamp,
) -> Result<bool> {
    let doomed = tx.execute(
        "INSERT INTO doomed (physical, store, not_before) VALUES (?1, ?2, ?3) ON CONFLICT (physical) DO NOTHING",
        args![physical.as_bytes(), i64::from(store), not_before],
    )?;
    if doomed == 0 {
        return Ok(false);
    }
    let named = "SELECT 1 FROM segment WHERE physical = ?1";
    if tx.row::<i64>(named, args![physical.as_bytes()])?.is_some() {
        forget(tx, physical)?;
        return Ok(false);
    }
    Ok(true)
}

/// Dooms all segments of a content.
pub(crate) fn content(tx: &mut dyn Tx, content: &[u8], not_before: Timestamp) -> Result<()> {
    let now = tx.now();
    tx.execute(
        "INSERT INTO doomed (physical, store, not_before, segment_until) SELECT physical, store, ?2, ?3 FROM segment WHERE content = ?1",
        args![content, not_before, now],
    )?;
    tx.execute("DELETE FROM segment WHERE content = ?1", args![content])?;
    tx.execute(
        "DELETE FROM inline_piece WHERE content = ?1",
        args![content],
    )
    .map(drop)
}

/// Whether there is any.
pub(crate) fn any(tx: &mut dyn Tx) -> Result<bool> {
    let sql = "SELECT 1 FROM doomed LIMIT 1";
    Ok(tx.row::<i64>(sql, args![])?.is_some())
}

/// Whether any file is doomed in the archive store.
pub(crate) fn any_archived(tx: &mut dyn Tx) -> Result<bool> {
    let sql = "SELECT 1 FROM doomed WHERE store > 1 LIMIT 1";
    Ok(tx.row::<i64>(sql, args![])?.is_some())
}

/// Whether any file may go by the time `now`; see [`take_due`].
pub(crate) fn any_due(tx: &mut dyn Tx, now: Timestamp, settling: Duration) -> Result<bool> {
    let sql = format!(
        "SELECT 1 FROM doomed WHERE not_before <= ?1 AND {} LIMIT 1",
        not_held("?2")
    );
    Ok(tx
        .row::<i64>(&sql, args![now.minus(settling), now])?
        .is_some())
}

/// SQL for whether no backup wants to read a file; `now` is the parameter of the present.
fn not_held(now: &str) -> String {
    let held = backup_hold::protects_from(now);
    format!("(segment_until IS NULL OR segment_until < {held})")
}

/// Returns up to `limit` files that may go by the time `now` with the stores they are in, those that have waited longest first,
/// but for those that a backup may still want to read. Each waits for `settling` beyond its time: what was sent to the store may
/// take effect so late, and nobody would know of a file that came when its row was gone.
///
/// They get a time that is new, so that one which cannot be removed does not hold up the rest, but well past, so that
/// no transaction with an older clock can still claim them.
pub(crate) fn take_due(
    tx: &mut dyn Tx,
    now: Timestamp,
    limit: i64,
    settling: Duration,
) -> Result<Vec<(PhysicalId, u32)>> {
    let sql = format!(
        "UPDATE doomed SET not_before = ?3 WHERE physical IN (SELECT physical FROM doomed WHERE not_before <= ?1 AND {} \
         ORDER BY not_before LIMIT ?2 /*for update skip locked*/) RETURNING physical, store",
        not_held("?4")
    );
    let past = now.minus(settling + PAST);
    let rows: Vec<(PhysicalId, i64)> =
        tx.rows(&sql, args![now.minus(settling), limit, past, now])?;
    let store = |(physical, store)| {
        Ok((
            physical,
            u32::try_from(store).map_err(|_| Error::corrupt("doomed.store"))?,
        ))
    };
    rows.into_iter().map(store).collect()
}

//! Open uploads. Admission is a compare-and-set on `received`.

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{
    id::{Incarnation, UploadId},
    time::Timestamp,
};

use super::{args, guard::Versions, guarded};
use crate::authz::Grant;

/// How an open upload stands.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) id: UploadId,
    /// Bytes admitted so far: where the next body must start.
    pub(crate) received: i64,
    /// How many of them are inline.
    pub(crate) inline_bytes: i64,
    /// Bodies admitted so far.
    pub(crate) pieces: i64,
    /// How many of them are segments.
    pub(crate) segments: i64,
    /// Size of the last part that the API uploaded, or 0.
    pub(crate) last_part: i64,
    /// Whether an API part before the last is under 5 MiB.
    pub(crate) undersized: bool,
    /// Whether SHA-512 was announced.
    pub(crate) sha512: bool,
    /// The running hash, sealed; absent before the first body.
    pub(crate) hash: Option<Vec<u8>>,
}

const COLUMNS: &str =
    "id, received, inline_bytes, pieces, segments, last_part, undersized, algorithm, hash";

fn read(columns: &dyn Columns, first: usize) -> Result<Upload> {
    Ok(Upload {
        id: UploadId::from_slice(columns.blob(first)?).map_err(|_| Error::corrupt("upload.id"))?,
        received: columns.int(first + 1)?,
        inline_bytes: columns.int(first + 2)?,
        pieces: columns.int(first + 3)?,
        segments: columns.int(first + 4)?,
        last_part: columns.int(first + 5)?,
        undersized: columns.int(first + 6)? != 0,
        sha512: columns.int(first + 7)? == 2,
        hash: columns.opt_blob(first + 8)?.map(<[u8]>::to_vec),
    })
}

impl Row for Upload {
    fn read(columns: &dyn Columns) -> Result<Self> {
        read(columns, 0)
    }
}

/// An upload that is about to begin.
#[derive(Clone, Debug)]
pub(crate) struct Beginning {
    pub(crate) id: UploadId,
    /// Whether SHA-512 was announced.
    pub(crate) sha512: bool,
    /// The id of the principal that begins it, or empty for nobody.
    pub(crate) principal: String,
}

/// How many slots are tried blindly. While no more than half of a principal's are taken, one upload in sixteen needs more.
const BLIND: u32 = 4;

/// Begins an upload in one of its principal's `slots`; returns whether one was free.
///
/// The unique index over the slots, not a count, holds the bound: it does so on every engine, and no row is shared by the
/// uploads of a principal.
pub(crate) fn insert(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    upload: &Beginning,
    slots: u32,
) -> Result<bool> {
    let draw = upload.id.as_uuid().as_u64_pair().1;
    for turn in 0..BLIND {
        let slot = draw.rotate_right(16 * turn) % u64::from(slots);
        if take_slot(tx, incarnation, upload, slot.cast_signed())? {
            return Ok(true);
        }
    }
    let sql = "SELECT slot FROM upload WHERE principal = ?1 AND slot < ?2 ORDER BY slot";
    let taken: Vec<i64> = tx.rows(sql, args![&upload.principal, slots])?;
    let mut taken = taken.into_iter().peekable();
    for slot in 0..i64::from(slots) {
        if taken.next_if_eq(&slot).is_none() && take_slot(tx, incarnation, upload, slot)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn take_slot(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    upload: &Beginning,
    slot: i64,
) -> Result<bool> {
    let now = tx.now();
    let algorithm = if upload.sha512 { 2 } else { 1 };
    let inserted = tx.execute(
        "INSERT INTO upload (incarnation, id, received, inline_bytes, pieces, segments, last_part, undersized, algorithm, hash, touched_at, \
         principal, slot) VALUES (?1, ?2, 0, 0, 0, 0, 0, 0, ?3, NULL, ?4, ?5, ?6) ON CONFLICT (principal, slot) DO NOTHING",
        args![incarnation.as_bytes(), upload.id.as_bytes(), algorithm, now, &upload.principal, slot],
    )?;
    Ok(inserted == 1)
}

/// Counts the open uploads, up to a million.
pub(crate) fn count(tx: &mut dyn Tx) -> Result<i64> {
    tx.count(
        "SELECT count(*) FROM (SELECT 1 FROM upload LIMIT 1000000) x",
        args![],
    )
}

/// Returns an upload of the grant's repository. One statement.
pub(crate) fn find(tx: &mut dyn Tx, grant: &Grant, id: UploadId) -> crate::Result<Option<Upload>> {
    let incarnation = grant.repository()?.incarnation;
    let (mut versions, mut found) = (None, None);
    tx.query(
        guarded!(
            "u.id, u.received, u.inline_bytes, u.pieces, u.segments, u.last_part, u.undersized, u.algorithm, u.hash",
            "LEFT JOIN upload u ON u.incarnation = r.incarnation AND u.id = ?3",
            ""
        ),
        args![grant.guard_account(), incarnation.as_bytes(), id.as_bytes()],
        &mut |columns| {
            versions = Some(Versions::read(columns)?);
            if !columns.is_null(3)? {
                found = Some(read(columns, 3)?);
            }
            Ok(())
        },
    )?;
    grant.check(versions)?;
    Ok(found)
}

/// Returns an upload, inside a transaction that has proven its grant.
pub(crate) fn get(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    id: UploadId,
) -> Result<Option<Upload>> {
    let sql =
        format!("SELECT {COLUMNS} FROM upload WHERE incarnation = ?1 AND id = ?2 /*for update*/");
    tx.row(&sql, args![incarnation.as_bytes(), id.as_bytes()])
}

/// Stores how an upload stands after a body, if it still stood at `start`; returns whether it did.
pub(crate) fn advance(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    start: i64,
    after: &Upload,
) -> Result<bool> {
    let now = tx.now();
    let updated = tx.execute(
        "UPDATE upload SET received = ?4, inline_bytes = ?5, pieces = ?6, segments = ?7, last_part = ?8, undersized = ?9, hash = ?10, \
         touched_at = ?11 WHERE incarnation = ?1 AND id = ?2 AND received = ?3",
        args![
            incarnation.as_bytes(),
            after.id.as_bytes(),
            start,
            after.received,
            after.inline_bytes,
            after.pieces,
            after.segments,
            after.last_part,
            after.undersized,
            after.hash.as_ref(),
            now,
        ],
    )?;
    Ok(updated == 1)
}

/// Ends an upload that still stands at `received`; returns whether it did.
pub(crate) fn remove(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    id: UploadId,
    received: i64,
) -> Result<bool> {
    let sql = "DELETE FROM upload WHERE incarnation = ?1 AND id = ?2 AND received = ?3";
    Ok(tx.execute(sql, args![incarnation.as_bytes(), id.as_bytes(), received])? == 1)
}

/// An upload that nobody has touched for long, or whose repository is dead.
#[derive(Debug)]
pub(crate) struct Abandoned {
    pub(crate) incarnation: Incarnation,
    pub(crate) id: UploadId,
    pub(crate) received: i64,
}

impl Row for Abandoned {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            incarnation: Incarnation::from_slice(columns.blob(0)?)
                .map_err(|_| Error::corrupt("upload.incarnation"))?,
            id: UploadId::from_slice(columns.blob(1)?).map_err(|_| Error::corrupt("upload.id"))?,
            received: columns.int(2)?,
        })
    }
}

/// Returns up to `limit` uploads that were last touched before `before`.
pub(crate) fn abandoned(tx: &mut dyn Tx, before: Timestamp, limit: i64) -> Result<Vec<Abandoned>> {
    let sql = "SELECT incarnation, id, received FROM upload WHERE touched_at < ?1 ORDER BY touched_at LIMIT ?2";
    tx.rows(sql, args![before, limit])
}

/// Returns up to `limit` uploads of a dead repository.
pub(crate) fn of_dead(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    limit: i64,
) -> Result<Vec<Abandoned>> {
    let sql = "SELECT incarnation, id, received FROM upload WHERE incarnation = ?1 LIMIT ?2";
    tx.rows(sql, args![incarnation.as_bytes(), limit])
}

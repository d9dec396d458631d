//! Segments and inline pieces: where the bytes of a content are.

use std::collections::HashSet;

use longshore_store::{
    blob::{Cipher, SegmentRow},
    meta::{Columns, Error, Result, Tx, Value},
};
use longshore_types::id::{ContentId, PhysicalId};

use super::{args, placeholders};

/// Reads a segment from eleven columns: physical, start, size, store, format, cipher, `frame_size`, header, `key_version`, `wrapped_key`, checks.
pub(crate) fn read(columns: &dyn Columns, first: usize) -> Result<SegmentRow> {
    let corrupt = |what: &str| Error::corrupt(format!("segment.{what}"));
    Ok(SegmentRow {
        physical_id: PhysicalId::from_slice(columns.blob(first)?)
            .map_err(|_| corrupt("physical"))?,
        start: columns.int(first + 1)?.cast_unsigned(),
        size: columns.int(first + 2)?.cast_unsigned(),
        store: u32::try_from(columns.int(first + 3)?).map_err(|_| corrupt("store"))?,
        format: u32::try_from(columns.int(first + 4)?).map_err(|_| corrupt("format"))?,
        cipher: u8::try_from(columns.int(first + 5)?)
            .ok()
            .and_then(Cipher::from_code)
            .ok_or_else(|| corrupt("cipher"))?,
        frame_size: u32::try_from(columns.int(first + 6)?).map_err(|_| corrupt("frame_size"))?,
        header: columns.blob(first + 7)?.to_vec(),
        key_version: u32::try_from(columns.int(first + 8)?).map_err(|_| corrupt("key_version"))?,
        wrapped_key: columns.blob(first + 9)?.to_vec(),
        checks: columns.blob(first + 10)?.to_vec(),
    })
}

/// Hangs a finished segment on a content.
pub(crate) fn insert(tx: &mut dyn Tx, content: ContentId, segment: &SegmentRow) -> Result<()> {
    tx.execute(
        "INSERT INTO segment (physical, content, start, size, store, format, cipher, frame_size, header, key_version, wrapped_key, checks) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        args![
            segment.physical_id.as_bytes(),
            content.as_bytes(),
            segment.start.cast_signed(),
            segment.size.cast_signed(),
            i64::from(segment.store),
            i64::from(segment.format),
            i64::from(segment.cipher.code()),
            i64::from(segment.frame_size),
            &segment.header,
            i64::from(segment.key_version),
            &segment.wrapped_key,
            &segment.checks,
        ],
    )
    .map(drop)
}

/// Hangs a sealed inline piece on a content.
pub(crate) fn insert_inline(
    tx: &mut dyn Tx,
    content: ContentId,
    start: i64,
    sealed: &[u8],
) -> Result<()> {
    let sql = "INSERT INTO inline_piece (content, start, sealed) VALUES (?1, ?2, ?3)";
    tx.execute(sql, args![content.as_bytes(), start, sealed])
        .map(drop)
}

/// Returns whether there is any segment.
pub(crate) fn any(tx: &mut dyn Tx) -> Result<bool> {
    let sql = "SELECT CASE WHEN EXISTS (SELECT 1 FROM segment) THEN 1 ELSE 0 END";
    Ok(tx.count(sql, args![])? == 1)
}

/// Returns whether any lies in the archive store.
pub(crate) fn any_archived(tx: &mut dyn Tx) -> Result<bool> {
    let sql = "SELECT CASE WHEN EXISTS (SELECT 1 FROM segment WHERE store > 1) THEN 1 ELSE 0 END";
    Ok(tx.count(sql, args![])? == 1)
}

/// Returns the segments of a content in order.
pub(crate) fn of_content(tx: &mut dyn Tx, content: ContentId) -> Result<Vec<SegmentRow>> {
    let mut rows = Vec::new();
    tx.query(
        "SELECT physical, start, size, store, format, cipher, frame_size, header, key_version, wrapped_key, checks FROM segment \
         WHERE content = ?1 ORDER BY start",
        args![content.as_bytes()],
        &mut |columns| {
            rows.push(read(columns, 0)?);
            Ok(())
        },
    )?;
    Ok(rows)
}

/// Returns which of `physical`, at most 500, no row names: neither as a segment nor as doomed.
pub(crate) fn unknown(tx: &mut dyn Tx, physical: &[PhysicalId]) -> Result<Vec<PhysicalId>> {
    if physical.is_empty() {
        return Ok(Vec::new());
    }
    let list = placeholders(0, physical.len());
    // One statement, so that one which moves from the doomed to the segments is seen in either.
    let sql = format!(
        "SELECT physical FROM segment WHERE physical IN ({list}) \
         UNION ALL SELECT physical FROM doomed WHERE physical IN ({list})"
    );
    let args: Vec<Value<'_>> = physical.iter().map(|id| id.as_bytes().into()).collect();
    let known: Vec<PhysicalId> = tx.rows(&sql, &args)?;
    let known: HashSet<PhysicalId> = known.into_iter().collect();
    let unknown = physical.iter().filter(|id| !known.contains(id));
    Ok(unknown.copied().collect())
}

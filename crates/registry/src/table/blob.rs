//! Blobs: the live content of an encryption domain, by digest.

use longshore_store::{
    blob::SegmentRow,
    meta::{Columns, Error, Result, Row, Tx},
};
use longshore_types::{
    digest::Digest,
    id::{ContentId, DomainId},
};

use super::{
    args, doomed, guard::Versions, guarded, image_storage::Status, link::PROMISED, relocation,
    segment,
};
use crate::authz::Grant;

/// A blob that a read may serve, as far as its first statement tells.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) size: u64,
    pub(crate) content: ContentId,
    /// How many segments it has; with none it is wholly inline.
    pub(crate) segments: i64,
    /// The sealed pieces of a blob that is wholly inline.
    pub(crate) inline: Vec<Inline>,
    pub(crate) rows: Vec<SegmentRow>,
}

/// A sealed piece and where it starts.
#[derive(Debug)]
pub(crate) struct Inline {
    pub(crate) start: i64,
    pub(crate) sealed: Vec<u8>,
}

impl Row for Inline {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            start: columns.int(0)?,
            sealed: columns.blob(1)?.to_vec(),
        })
    }
}

/// Returns the size of a blob that is present in the grant's repository. One statement.
pub(crate) fn head(tx: &mut dyn Tx, grant: &Grant, digest: &Digest) -> crate::Result<Option<u64>> {
    let incarnation = grant.repository()?.incarnation;
    let least = tx.now().plus(PROMISED);
    let (mut versions, mut size) = (None, None);
    tx.query(
        guarded!(
            "b.size, CASE WHEN l.withdrawn = 0 AND l.keep_until >= ?4 THEN 1 WHEN EXISTS (SELECT 1 FROM image_layer x \
             WHERE x.incarnation = ?2 AND x.layer = ?3 AND x.status = 0) THEN 1 ELSE 0 END",
            "LEFT JOIN link l ON l.incarnation = r.incarnation AND l.digest = ?3 \
             LEFT JOIN blob b ON b.domain = l.domain AND b.digest = l.digest AND b.damaged = 0",
            ""
        ),
        args![grant.guard_account(), incarnation.as_bytes(), &digest.to_key(), least],
        &mut |columns| {
            versions = Some(Versions::read(columns)?);
            if columns.int(4)? != 0 {
                size = columns.opt_int(3)?;
            }
            Ok(())
        },
    )?;
    grant.check(versions)?;
    Ok(size.map(i64::cast_unsigned))
}

/// Which images make a blob present that they reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeldBy {
    /// Those that can be pulled.
    Active,
    /// All, archived ones too.
    Any,
}

impl HeldBy {
    fn highest_status(self) -> i64 {
        match self {
            Self::Active => Status::Active.code(),
            Self::Any => Status::Activating.code(),
        }
    }
}

/// Returns a blob that is present in the grant's repository, with its segments, or its bytes if it is wholly inline.
/// `images` says whose references make it present. One statement.
pub(crate) fn find(
    tx: &mut dyn Tx,
    grant: &Grant,
    digest: &Digest,
    images: HeldBy,
) -> crate::Result<Option<Found>> {
    let incarnation = grant.repository()?.incarnation;
    let least = tx.now().plus(PROMISED);
    let (mut versions, mut found) = (None, None);
    tx.query(
        guarded!(
            "b.size, CASE WHEN l.withdrawn = 0 AND l.keep_until >= ?4 THEN 1 WHEN EXISTS (SELECT 1 FROM image_layer x \
             WHERE x.incarnation = ?2 AND x.layer = ?3 AND x.status <= ?5) THEN 1 ELSE 0 END, b.content, b.segments, n.start, n.sealed, \
             s.physical, s.start, s.size, s.store, s.format, s.cipher, s.frame_size, s.header, s.key_version, s.wrapped_key, s.checks",
            "LEFT JOIN link l ON l.incarnation = r.incarnation AND l.digest = ?3 \
             LEFT JOIN blob b ON b.domain = l.domain AND b.digest = l.digest AND b.damaged = 0 \
             LEFT JOIN inline_piece n ON b.segments = 0 AND n.content = b.content \
             LEFT JOIN segment s ON b.segments > 0 AND s.content = b.content",
            ""
        ),
        args![grant.guard_account(), incarnation.as_bytes(), &digest.to_key(), least, images.highest_status()],
        &mut |columns| {
            versions = Some(Versions::read(columns)?);
            collect(columns, &mut found)
        },
    )?;
    grant.check(versions)?;
    Ok(found)
}

fn collect(columns: &dyn Columns, found: &mut Option<Found>) -> Result<()> {
    let Some(size) = columns.opt_int(3)? else {
        return Ok(());
    };
    if columns.int(4)? == 0 {
        return Ok(());
    }
    let found = match found {
        Some(found) => found,
        None => found.insert(Found {
            size: size.cast_unsigned(),
            content: ContentId::from_slice(columns.blob(5)?)
                .map_err(|_| Error::corrupt("blob.content"))?,
            segments: columns.int(6)?,
            inline: Vec::new(),
            rows: Vec::new(),
        }),
    };
    if let Some(start) = columns.opt_int(7)? {
        found.inline.push(Inline {
            start,
            sealed: columns.blob(8)?.to_vec(),
        });
    }
    if !columns.is_null(9)? {
        found.rows.push(segment::read(columns, 9)?);
    }
    Ok(())
}

/// Returns the inline pieces of a content that also has segments.
pub(crate) fn inline(tx: &mut dyn Tx, content: ContentId) -> Result<Vec<Inline>> {
    tx.rows(
        "SELECT start, sealed FROM inline_piece WHERE content = ?1",
        args![content.as_bytes()],
    )
}

/// A blob whose content is complete and durable.
#[derive(Clone, Debug)]
pub(crate) struct NewBlob {
    pub(crate) domain: DomainId,
    pub(crate) digest: Digest,
    pub(crate) content: ContentId,
    pub(crate) size: i64,
    pub(crate) segments: i64,
}

/// Makes `blob`. If the domain has it already, the new content is doomed, unless the old one is damaged or lies in the
/// archive: then that goes.
pub(crate) fn insert(tx: &mut dyn Tx, blob: &NewBlob) -> Result<()> {
    let now = tx.now();
    let key = blob.digest.to_key();
    let made = tx.execute(
        "INSERT INTO blob (domain, digest, content, size, segments, damaged, created_at) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6) \
         ON CONFLICT (domain, digest) DO NOTHING",
        args![blob.domain.as_bytes(), &key, blob.content.as_bytes(), blob.size, blob.segments, now],
    )?;
    if made == 1 {
        return Ok(());
    }
    let not_before = doomed::after_grace(now);
    let sql = "SELECT content FROM blob WHERE domain = ?1 AND digest = ?2 AND (damaged = 1 OR archived = 1) /*for update*/";
    let Some(old) = tx.row::<Vec<u8>>(sql, args![blob.domain.as_bytes(), &key])? else {
        return doomed::content(tx, blob.content.as_bytes(), not_before);
    };
    tx.execute(
        "UPDATE blob SET content = ?3, size = ?4, segments = ?5, damaged = 0, archived = 0 WHERE domain = ?1 AND digest = ?2",
        args![blob.domain.as_bytes(), &key, blob.content.as_bytes(), blob.size, blob.segments],
    )?;
    doomed::content(tx, &old, not_before)
}

/// A blob as the mover sees it.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) content: ContentId,
    pub(crate) size: i64,
    pub(crate) segments: i64,
    pub(crate) is_damaged: bool,
    pub(crate) is_archived: bool,
}

impl Row for Kept {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            content: ContentId::from_slice(columns.blob(0)?)
                .map_err(|_| Error::corrupt("blob.content"))?,
            size: columns.int(1)?,
            segments: columns.int(2)?,
            is_damaged: columns.int(3)? != 0,
            is_archived: columns.int(4)? != 0,
        })
    }
}

/// Returns a blob, damaged or not.
pub(crate) fn kept(tx: &mut dyn Tx, domain: DomainId, digest: &Digest) -> Result<Option<Kept>> {
    let sql = "SELECT content, size, segments, damaged, archived FROM blob WHERE domain = ?1 AND digest = ?2";
    tx.row(sql, args![domain.as_bytes(), &digest.to_key()])
}

/// Makes `target`, of so many segments, the content of a sound blob in place of `source`, which is doomed; returns whether
/// that was its content.
pub(crate) fn swap(
    tx: &mut dyn Tx,
    (domain, digest): (DomainId, &Digest),
    (source, target): (ContentId, ContentId),
    is_archived: bool,
) -> Result<bool> {
    let swapped = tx.execute(
        "UPDATE blob SET content = ?4, archived = ?5, segments = (SELECT COUNT(*) FROM segment WHERE content = ?4) \
         WHERE domain = ?1 AND digest = ?2 AND content = ?3 AND damaged = 0",
        args![domain.as_bytes(), &digest.to_key(), source.as_bytes(), target.as_bytes(), is_archived],
    )?;
    if swapped == 0 {
        return Ok(false);
    }
    // Pulls that have begun read it for as long as they take.
    let not_before = doomed::after_grace(tx.now());
    doomed::content(tx, source.as_bytes(), not_before)?;
    Ok(true)
}

/// Makes `new` the content of its blob in place of `damaged`, which is doomed, and lifts the mark; returns whether that was
/// its content.
pub(crate) fn renew(
    tx: &mut dyn Tx,
    new: &NewBlob,
    damaged: ContentId,
    is_archived: bool,
) -> Result<bool> {
    let renewed = tx.execute(
        "UPDATE blob SET content = ?4, size = ?5, segments = ?6, damaged = 0, archived = ?7 \
         WHERE domain = ?1 AND digest = ?2 AND content = ?3",
        args![
            new.domain.as_bytes(),
            &new.digest.to_key(),
            damaged.as_bytes(),
            new.content.as_bytes(),
            new.size,
            new.segments,
            is_archived
        ],
    )?;
    if renewed == 0 {
        return Ok(false);
    }
    let not_before = doomed::after_grace(tx.now());
    doomed::content(tx, damaged.as_bytes(), not_before)?;
    Ok(true)
}

/// Notes that the segments of a blob that was just made lie in the archive store.
pub(crate) fn lies_in_archive(tx: &mut dyn Tx, made: &NewBlob) -> Result<()> {
    let sql = "UPDATE blob SET archived = 1 WHERE domain = ?1 AND digest = ?2 AND content = ?3";
    let content = made.content.as_bytes();
    tx.execute(
        sql,
        args![made.domain.as_bytes(), &made.digest.to_key(), content],
    )
    .map(drop)
}

/// Whether a domain has a damaged blob that is named by its SHA-512.
pub(crate) fn any_damaged_sha512(tx: &mut dyn Tx, domain: DomainId) -> Result<bool> {
    // Digests begin with a byte that tells their algorithm.
    let first = Digest::sha512([0; 64]).to_key();
    let sql = "SELECT 1 FROM blob WHERE domain = ?1 AND digest >= ?2 AND damaged = 1 LIMIT 1";
    Ok(tx
        .row::<i64>(sql, args![domain.as_bytes(), &first])?
        .is_some())
}

/// Marks a blob damaged: absent to every read and check until it is uploaded again. Returns whether it is still made of
/// that content.
pub(crate) fn damage(
    tx: &mut dyn Tx,
    domain: DomainId,
    digest: &Digest,
    content: ContentId,
) -> Result<bool> {
    let marked = tx.execute(
        "UPDATE blob SET damaged = 1 WHERE domain = ?1 AND digest = ?2 AND content = ?3",
        args![domain.as_bytes(), &digest.to_key(), content.as_bytes()],
    )?;
    Ok(marked == 1)
}

/// Whether a blob is marked damaged; `None` when none is made of that content any more.
pub(crate) fn is_damaged(
    tx: &mut dyn Tx,
    domain: DomainId,
    digest: &Digest,
    content: ContentId,
) -> Result<Option<bool>> {
    let sql = "SELECT damaged FROM blob WHERE domain = ?1 AND digest = ?2 AND content = ?3";
    let damaged: Option<i64> = tx.row(
        sql,
        args![domain.as_bytes(), &digest.to_key(), content.as_bytes()],
    )?;
    Ok(damaged.map(|damaged| damaged != 0))
}

/// Lifts the mark of a blob that was read whole; returns whether it had one.
pub(crate) fn mend(
    tx: &mut dyn Tx,
    domain: DomainId,
    digest: &Digest,
    content: ContentId,
) -> Result<bool> {
    let mended = tx.execute(
        "UPDATE blob SET damaged = 0 WHERE domain = ?1 AND digest = ?2 AND content = ?3 AND damaged = 1",
        args![domain.as_bytes(), &digest.to_key(), content.as_bytes()],
    )?;
    Ok(mended == 1)
}

/// Removes a blob that no link references and dooms its segments; returns its size if there was one.
pub(crate) fn collect_unlinked(
    tx: &mut dyn Tx,
    domain: &[u8],
    digest: &Digest,
) -> Result<Option<u64>> {
    let not_before = doomed::after_grace(tx.now());
    let linked = "SELECT 1 FROM link WHERE domain = ?1 AND digest = ?2 LIMIT 1";
    let is_linked = tx
        .row::<i64>(linked, args![domain, &digest.to_key()])?
        .is_some();
    if is_linked {
        return Ok(None);
    }
    relocation::forget_blob(tx, domain, digest)?;
    let removed: Option<(Vec<u8>, i64)> = tx.row(
        "DELETE FROM blob WHERE domain = ?1 AND digest = ?2 AND NOT EXISTS \
         (SELECT 1 FROM link l WHERE l.domain = ?1 AND l.digest = ?2) RETURNING content, size",
        args![domain, &digest.to_key()],
    )?;
    let Some((content, size)) = removed else {
        return Ok(None);
    };
    doomed::content(tx, &content, not_before)?;
    Ok(Some(size.cast_unsigned()))
}

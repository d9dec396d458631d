//! Blobs that may lie in another store than they should, and how far their moves have come.
//!
//! A row is deleted only by whoever holds it and has looked where its blob belongs in a later statement. Whoever changes
//! where a blob belongs inserts the row after that change, or touches the one that is there: so one of the two sees the other.

use std::time::Duration;

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{
    digest::Digest,
    id::{ContentId, DomainId, Incarnation},
    time::Timestamp,
};

use super::{args, doomed};

/// Restorations come before everything else.
pub(crate) const FIRST: Timestamp = Timestamp::from_millis(0);
/// How long after a move a blob is looked at again, for whoever has used it in a transaction that did not see the move.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// A blob that may lie in the wrong store.
#[derive(Clone, Debug)]
pub(crate) struct Relocation {
    pub(crate) domain: DomainId,
    pub(crate) digest: Digest,
    /// How far it has been moved, if that has begun.
    pub(crate) progress: Option<Progress>,
}

/// How far a move has come.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    /// The content that is copied.
    pub(crate) source: ContentId,
    /// The content that the copies make up.
    pub(crate) target: ContentId,
    /// The store that they lie in.
    pub(crate) store: u32,
    /// How many bytes they hold.
    pub(crate) copied: i64,
    /// The sealed hash state after those; there is none before the first.
    pub(crate) hash: Option<Vec<u8>>,
}

impl Row for Relocation {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let corrupt = |what: &str| Error::corrupt(format!("relocation.{what}"));
        let content =
            |idx, what| ContentId::from_slice(columns.blob(idx)?).map_err(|_| corrupt(what));
        let progress = if columns.is_null(2)? {
            None
        } else {
            Some(Progress {
                source: content(2, "source")?,
                target: content(3, "target")?,
                store: u32::try_from(columns.int(4)?).map_err(|_| corrupt("store"))?,
                copied: columns.int(5)?,
                hash: columns.opt_blob(6)?.map(<[u8]>::to_vec),
            })
        };
        Ok(Self {
            domain: DomainId::from_slice(columns.blob(0)?).map_err(|_| corrupt("domain"))?,
            digest: Digest::from_key(columns.blob(1)?).map_err(|_| corrupt("digest"))?,
            progress,
        })
    }
}

const COLUMNS: &str = "domain, digest, source, target, store, copied, hash";

/// Has those layers of an image looked at that lie in the archive store, or of those that do not if it `is_archived`.
/// The order keeps two images that share layers from waiting for each other.
pub(crate) fn look_at_layers(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &Digest,
    is_archived: bool,
) -> Result<()> {
    let due = if is_archived { tx.now() } else { FIRST };
    tx.execute(
        "INSERT INTO relocation (domain, digest, due) SELECT b.domain, b.digest, CAST(?3 AS BIGINT) FROM image_layer x \
         JOIN link l ON l.incarnation = x.incarnation AND l.digest = x.layer \
         JOIN blob b ON b.domain = l.domain AND b.digest = l.digest \
         WHERE x.incarnation = ?1 AND x.image = ?2 AND b.segments > 0 AND b.archived = ?4 ORDER BY b.digest \
         ON CONFLICT (domain, digest) DO UPDATE SET due = excluded.due",
        args![
            incarnation.as_bytes(),
            &image.to_key(),
            due,
            i64::from(!is_archived)
        ],
    )
    .map(drop)
}

/// Has a blob looked at from `due` on.
pub(crate) fn look_at(
    tx: &mut dyn Tx,
    domain: &[u8],
    digest: &Digest,
    due: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO relocation (domain, digest, due) VALUES (?1, ?2, ?3) \
         ON CONFLICT (domain, digest) DO UPDATE SET due = excluded.due",
        args![domain, &digest.to_key(), due],
    )
    .map(drop)
}

/// Where a blob's bytes belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Where pulls are served from: an image has it that is active or will be, or a promise is given.
    Standard,
    /// In the archive: only archived images have it.
    Archive,
    /// Nobody has it, so it stays where it is until it is collected.
    Anywhere,
}

/// Returns where a blob belongs.
pub(crate) fn place(tx: &mut dyn Tx, domain: &[u8], digest: &Digest) -> Result<Place> {
    let now = tx.now();
    let place = tx.count(
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM link l WHERE l.domain = ?1 AND l.digest = ?2 \
         AND ((l.withdrawn = 0 AND l.keep_until > ?3) OR EXISTS (SELECT 1 FROM image_layer x \
         WHERE x.incarnation = l.incarnation AND x.layer = l.digest AND x.status IN (0, 2)))) THEN 0 \
         WHEN EXISTS (SELECT 1 FROM link l JOIN image_layer x ON x.incarnation = l.incarnation AND x.layer = l.digest \
         WHERE l.domain = ?1 AND l.digest = ?2) THEN 1 ELSE 2 END",
        args![domain, &digest.to_key(), now],
    )?;
    Ok(match place {
        0 => Place::Standard,
        1 => Place::Archive,
        _ => Place::Anywhere,
    })
}

/// Has a blob looked at if it lies in another store than where it belongs.
pub(crate) fn look_if_misplaced(tx: &mut dyn Tx, domain: &[u8], digest: &Digest) -> Result<()> {
    let sql = "SELECT archived FROM blob WHERE domain = ?1 AND digest = ?2 AND segments > 0";
    let Some(is_archived) = tx.row::<bool>(sql, args![domain, &digest.to_key()])? else {
        return Ok(());
    };
    let now = tx.now();
    match (is_archived, place(tx, domain, digest)?) {
        (false, Place::Archive) => look_at(tx, domain, digest, now),
        (true, Place::Standard) => look_at(tx, domain, digest, FIRST),
        _ => Ok(()),
    }
}

/// Takes the blob that is due first, and puts it off until `until`, so that nobody else takes it meanwhile.
pub(crate) fn claim(tx: &mut dyn Tx, until: Timestamp) -> Result<Option<Relocation>> {
    let now = tx.now();
    let sql = format!(
        "SELECT {COLUMNS} FROM relocation WHERE due <= ?1 ORDER BY due LIMIT 1 /*for update skip locked*/"
    );
    let found: Option<Relocation> = tx.row(&sql, args![now])?;
    if let Some(found) = &found {
        look_at(tx, found.domain.as_bytes(), &found.digest, until)?;
    }
    Ok(found)
}

/// Puts a blob off until `due`, unless it has been put into the queue anew since it was claimed.
pub(crate) fn put_off(
    tx: &mut dyn Tx,
    domain: DomainId,
    digest: &Digest,
    due: Timestamp,
) -> Result<()> {
    let now = tx.now();
    let sql = "UPDATE relocation SET due = ?3 WHERE domain = ?1 AND digest = ?2 AND due > ?4";
    let key = digest.to_key();
    tx.execute(sql, args![domain.as_bytes(), &key, due, now])
        .map(drop)
}

/// Whether any blob is due.
pub(crate) fn any_due(tx: &mut dyn Tx) -> Result<bool> {
    let now = tx.now();
    let sql = "SELECT 1 FROM relocation WHERE due <= ?1 LIMIT 1";
    Ok(tx.row::<i64>(sql, args![now])?.is_some())
}

/// Begins a move, in place of one that had begun before.
pub(crate) fn begin(tx: &mut dyn Tx, moved: &Relocation, progress: &Progress) -> Result<()> {
    drop_copies(tx, moved)?;
    tx.execute(
        "UPDATE relocation SET source = ?3, target = ?4, store = ?5, copied = 0, hash = NULL WHERE domain = ?1 AND digest = ?2",
        args![
            moved.domain.as_bytes(),
            &moved.digest.to_key(),
            progress.source.as_bytes(),
            progress.target.as_bytes(),
            i64::from(progress.store)
        ],
    )
    .map(drop)
}

/// Records that `progress` is `after` now, to be gone on with at once; returns whether it stood where it says.
pub(crate) fn advance(
    tx: &mut dyn Tx,
    moved: &Relocation,
    progress: &Progress,
    copied: i64,
    hash: &[u8],
) -> Result<bool> {
    let now = tx.now();
    let advanced = tx.execute(
        "UPDATE relocation SET copied = ?5, hash = ?6, due = ?7 WHERE domain = ?1 AND digest = ?2 AND target = ?3 AND copied = ?4",
        args![
            moved.domain.as_bytes(),
            &moved.digest.to_key(),
            progress.target.as_bytes(),
            progress.copied,
            copied,
            hash,
            now
        ],
    )?;
    Ok(advanced == 1)
}

/// Ends a move whose copies are the blob's content now; it is looked at once more in a minute.
pub(crate) fn end(tx: &mut dyn Tx, moved: &Relocation) -> Result<()> {
    let due = tx.now().plus(LOOK_AGAIN);
    tx.execute(
        "UPDATE relocation SET source = NULL, target = NULL, store = NULL, copied = 0, hash = NULL, due = ?3 \
         WHERE domain = ?1 AND digest = ?2",
        args![moved.domain.as_bytes(), &moved.digest.to_key(), due],
    )
    .map(drop)
}

/// Forgets a blob that lies where it should, and dooms what a move had copied of it.
pub(crate) fn forget(tx: &mut dyn Tx, moved: &Relocation) -> Result<()> {
    drop_copies(tx, moved)?;
    let sql = "DELETE FROM relocation WHERE domain = ?1 AND digest = ?2";
    let key = moved.digest.to_key();
    tx.execute(sql, args![moved.domain.as_bytes(), &key])
        .map(drop)
}

/// Forgets a blob that is about to be removed.
pub(crate) fn forget_blob(tx: &mut dyn Tx, domain: &[u8], digest: &Digest) -> Result<()> {
    let sql = format!(
        "SELECT {COLUMNS} FROM relocation WHERE domain = ?1 AND digest = ?2 /*for update*/"
    );
    match tx.row::<Relocation>(&sql, args![domain, &digest.to_key()])? {
        Some(found) => forget(tx, &found),
        None => Ok(()),
    }
}

fn drop_copies(tx: &mut dyn Tx, moved: &Relocation) -> Result<()> {
    let now = tx.now();
    match &moved.progress {
        // Nobody has ever read them.
        Some(progress) => doomed::content(tx, progress.target.as_bytes(), now),
        None => Ok(()),
    }
}

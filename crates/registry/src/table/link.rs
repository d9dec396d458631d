//! Links: a repository's access to a blob, and the promise that a positive answer makes.

use std::time::Duration;

use longshore_store::{
    meta::{Columns, Error, Result, Row, Tx, Value},
    soak::Guard,
};
use longshore_types::{
    digest::Digest,
    id::{DomainId, Incarnation},
    time::Timestamp,
};

use super::{args, candidate, candidate::Kind, image, placeholders};

/// How long a link is kept from its last promise.
pub(crate) const KEEP: Duration = Duration::from_hours(24);
/// A link without a reference is present while at least this much of its promise is left.
pub(crate) const PROMISED: Duration = Duration::from_hours(12);

/// When a promise ends that is made now.
fn kept_from(now: Timestamp) -> Timestamp {
    if Guard::Promise.holds() {
        now.plus(KEEP)
    } else {
        now
    }
}

/// A blob that is present in a repository.
#[derive(Debug)]
pub(crate) struct Present {
    pub(crate) digest: Digest,
    pub(crate) size: i64,
    /// The media type by which such an image references it, if one does.
    pub(crate) referenced_as: Option<String>,
    /// Whether its bytes lie in the archive.
    pub(crate) is_archived: bool,
}

impl Row for Present {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let digest =
            Digest::from_key(columns.blob(0)?).map_err(|_| Error::corrupt("link.digest"))?;
        Ok(Self {
            digest,
            size: columns.int(1)?,
            referenced_as: columns.opt_text(2)?.map(str::to_owned),
            is_archived: columns.int(3)? != 0,
        })
    }
}

/// Returns those of `digests` that are present in a repository: referenced by an active image, or with a promise left.
pub(crate) fn present(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    digests: &[Digest],
) -> Result<Vec<Present>> {
    if digests.is_empty() {
        return Ok(Vec::new());
    }
    let least = tx.now().plus(PROMISED);
    let keys: Vec<Vec<u8>> = digests.iter().map(Digest::to_key).collect();
    let mut args = vec![Value::from(incarnation.as_bytes()), Value::from(least)];
    args.extend(keys.iter().map(Value::from));
    let sql = format!(
        "SELECT l.digest, b.size, (SELECT y.media_type FROM image_layer y WHERE y.incarnation = l.incarnation AND y.layer = l.digest AND y.status = 0 LIMIT 1), \
         b.archived \
         FROM link l JOIN blob b ON b.domain = l.domain AND b.digest = l.digest \
         WHERE l.incarnation = ?1 AND b.damaged = 0 AND l.digest IN ({}) AND ((l.withdrawn = 0 AND l.keep_until >= ?2) \
         OR EXISTS (SELECT 1 FROM image_layer x WHERE x.incarnation = l.incarnation AND x.layer = l.digest AND x.status = 0))",
        placeholders(2, keys.len())
    );
    tx.rows(&sql, &args)
}

/// Returns those of `digests` that images here have which are not active; they may be [`present`] all the same.
pub(crate) fn archived(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    digests: &[Digest],
) -> Result<Vec<Present>> {
    if digests.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<Vec<u8>> = digests.iter().map(Digest::to_key).collect();
    let mut args = vec![Value::from(incarnation.as_bytes())];
    args.extend(keys.iter().map(Value::from));
    let sql = format!(
        "SELECT l.digest, b.size, (SELECT y.media_type FROM image_layer y WHERE y.incarnation = l.incarnation AND y.layer = l.digest LIMIT 1), \
         b.archived FROM link l JOIN blob b ON b.domain = l.domain AND b.digest = l.digest \
         WHERE l.incarnation = ?1 AND b.damaged = 0 AND l.digest IN ({}) \
         AND EXISTS (SELECT 1 FROM image_layer x WHERE x.incarnation = l.incarnation AND x.layer = l.digest AND x.status > 0)",
        placeholders(1, keys.len())
    );
    tx.rows(&sql, &args)
}

/// How the blob of a link is.
#[derive(Debug)]
pub(crate) struct Linked {
    pub(crate) digest: Digest,
    pub(crate) is_damaged: bool,
    /// Whether its bytes lie in the archive.
    pub(crate) is_archived: bool,
}

impl Row for Linked {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            digest: Digest::from_key(columns.blob(0)?)
                .map_err(|_| Error::corrupt("link.digest"))?,
            is_damaged: columns.int(1)? != 0,
            is_archived: columns.int(2)? != 0,
        })
    }
}

/// Returns those of `digests` that are linked, promised or not.
pub(crate) fn linked(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    digests: &[Digest],
) -> Result<Vec<Linked>> {
    let mut found = Vec::with_capacity(digests.len());
    for chunk in digests.chunks(super::ROWS_PER_STATEMENT) {
        let keys: Vec<Vec<u8>> = chunk.iter().map(Digest::to_key).collect();
        let mut args = vec![Value::from(incarnation.as_bytes())];
        args.extend(keys.iter().map(Value::from));
        let sql = format!(
            "SELECT l.digest, b.damaged, b.archived FROM link l JOIN blob b ON b.domain = l.domain AND b.digest = l.digest \
             WHERE l.incarnation = ?1 AND l.digest IN ({})",
            placeholders(1, keys.len())
        );
        found.extend(tx.rows::<Linked>(&sql, &args)?);
    }
    Ok(found)
}

/// Links a blob, or raises the promise of a link that is there, and lifts its withdrawal.
pub(crate) fn promise(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    domain: DomainId,
    digest: &Digest,
) -> Result<()> {
    let until = kept_from(tx.now());
    tx.execute(
        "INSERT INTO link (incarnation, digest, domain, keep_until, withdrawn) VALUES (?1, ?2, ?3, ?4, 0) \
         ON CONFLICT (incarnation, digest) DO UPDATE SET withdrawn = 0, \
         keep_until = CASE WHEN link.keep_until > excluded.keep_until THEN link.keep_until ELSE excluded.keep_until END",
        args![incarnation.as_bytes(), &digest.to_key(), domain.as_bytes(), until],
    )?;
    image::layer_came(tx, incarnation, digest)?;
    candidate::insert(tx, until, Kind::Link, incarnation.as_bytes(), digest)
}

/// Keeps a link for so long at least, whatever is promised.
pub(crate) fn keep_for(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    digest: &Digest,
    time: Duration,
) -> Result<()> {
    let until = tx.now().plus(time);
    tx.execute(
        "UPDATE link SET keep_until = ?3 WHERE incarnation = ?1 AND digest = ?2 AND keep_until < ?3",
        args![incarnation.as_bytes(), &digest.to_key(), until],
    )?;
    candidate::insert(tx, until, Kind::Link, incarnation.as_bytes(), digest)
}

/// Raises the promise of the links that an image is about to let go, and has the collector look when it ends.
pub(crate) fn let_go(tx: &mut dyn Tx, incarnation: Incarnation, image: &Digest) -> Result<()> {
    let until = kept_from(tx.now());
    tx.execute(
        "UPDATE link SET keep_until = ?3 WHERE incarnation = ?1 AND keep_until < ?3 \
         AND digest IN (SELECT layer FROM image_layer WHERE incarnation = ?1 AND image = ?2)",
        args![incarnation.as_bytes(), &image.to_key(), until],
    )?;
    tx.execute(
        "INSERT INTO candidate (due, kind, scope, digest) SELECT CAST(?3 AS BIGINT), 1, incarnation, layer FROM image_layer \
         WHERE incarnation = ?1 AND image = ?2 ON CONFLICT (due, kind, scope, digest) DO UPDATE SET due = excluded.due",
        args![incarnation.as_bytes(), &image.to_key(), until],
    )
    .map(drop)
}

/// What the collector needs to know of a link.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) domain: DomainId,
    pub(crate) keep_until: i64,
    pub(crate) withdrawn: bool,
    /// Whether an image references it.
    pub(crate) referenced: bool,
    /// Whether an expired image does that can be brought back.
    pub(crate) expired: bool,
}

impl Row for Standing {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            domain: DomainId::from_slice(columns.blob(0)?)
                .map_err(|_| Error::corrupt("link.domain"))?,
            keep_until: columns.int(1)?,
            withdrawn: columns.int(2)? != 0,
            referenced: columns.int(3)? != 0 && Guard::ForeignKeys.holds(),
            expired: columns.int(4)? != 0 && Guard::ForeignKeys.holds(),
        })
    }
}

/// Returns how a link stands; holds it there.
pub(crate) fn standing(
    tx: &mut dyn Tx,
    incarnation: &[u8],
    digest: &Digest,
) -> Result<Option<Standing>> {
    // Held first and looked at in a later statement: one that waits for the lock would not see who let it go.
    let sql = "SELECT 1 FROM link WHERE incarnation = ?1 AND digest = ?2 /*for update*/";
    if tx
        .row::<i64>(sql, args![incarnation, &digest.to_key()])?
        .is_none()
    {
        return Ok(None);
    }
    tx.row(
        "SELECT domain, keep_until, withdrawn, CASE WHEN EXISTS (SELECT 1 FROM image_layer x \
         WHERE x.incarnation = ?1 AND x.layer = ?2) THEN 1 ELSE 0 END, CASE WHEN EXISTS (SELECT 1 FROM expired_layer x \
         WHERE x.incarnation = ?1 AND x.layer = ?2) THEN 1 ELSE 0 END FROM link WHERE incarnation = ?1 AND digest = ?2",
        args![incarnation, &digest.to_key()],
    )
}

/// Returns up to `limit` linked blobs of a repository in order of digest, after `after`, with their sizes and whether they
/// lie in the archive.
pub(crate) fn sizes(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    after: &[u8],
    limit: i64,
) -> Result<Vec<(Digest, i64, bool)>> {
    tx.rows(
        "SELECT l.digest, b.size, b.archived FROM link l JOIN blob b ON b.domain = l.domain AND b.digest = l.digest \
         WHERE l.incarnation = ?1 AND l.digest > ?2 ORDER BY l.digest LIMIT ?3",
        args![incarnation.as_bytes(), after, limit],
    )
}

/// Withdraws a link: absent to reads and checks, usable by an image until its promise ends.
pub(crate) fn withdraw(tx: &mut dyn Tx, incarnation: Incarnation, digest: &Digest) -> Result<()> {
    let sql = "UPDATE link SET withdrawn = 1 WHERE incarnation = ?1 AND digest = ?2";
    tx.execute(sql, args![incarnation.as_bytes(), &digest.to_key()])
        .map(drop)
}

/// Withdraws the links of an archived image's layers that no image has which is active or will be.
pub(crate) fn withdraw_archived(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &Digest,
) -> Result<()> {
    tx.execute(
        "UPDATE link SET withdrawn = 1 WHERE incarnation = ?1 AND digest IN \
         (SELECT layer FROM image_layer WHERE incarnation = ?1 AND image = ?2) AND NOT EXISTS (SELECT 1 FROM image_layer x \
         WHERE x.incarnation = link.incarnation AND x.layer = link.digest AND x.status IN (0, 2))",
        args![incarnation.as_bytes(), &image.to_key()],
    )
    .map(drop)
}

/// Removes a link that nothing references, and has the collector look at its blob.
pub(crate) fn remove(
    tx: &mut dyn Tx,
    incarnation: &[u8],
    domain: DomainId,
    digest: &Digest,
) -> Result<()> {
    let now = tx.now();
    let sql = "DELETE FROM link WHERE incarnation = ?1 AND digest = ?2";
    tx.execute(sql, args![incarnation, &digest.to_key()])?;
    candidate::insert(tx, now, Kind::Blob, domain.as_bytes(), digest)
}

/// Returns up to `limit` links of a dead repository.
pub(crate) fn of_dead(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    limit: i64,
) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let sql = "SELECT digest, domain FROM link WHERE incarnation = ?1 LIMIT ?2";
    tx.rows(sql, args![incarnation.as_bytes(), limit])
}

/// Returns up to `limit` live repositories of the domain that link a sound, present blob.
pub(crate) fn holders(
    tx: &mut dyn Tx,
    domain: DomainId,
    digest: &Digest,
    limit: i64,
) -> Result<Vec<String>> {
    let least = tx.now().plus(PROMISED);
    tx.rows(
        "SELECT r.name FROM link l JOIN repository r ON r.incarnation = l.incarnation AND r.died_at IS NULL \
         JOIN blob b ON b.domain = l.domain AND b.digest = l.digest AND b.damaged = 0 \
         WHERE l.domain = ?1 AND l.digest = ?2 AND ((l.withdrawn = 0 AND l.keep_until >= ?3) \
         OR EXISTS (SELECT 1 FROM image_layer x WHERE x.incarnation = l.incarnation AND x.layer = l.digest AND x.status = 0)) LIMIT ?4",
        args![domain.as_bytes(), &digest.to_key(), least, limit],
    )
}

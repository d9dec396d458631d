//! Images that a lifecycle policy expired and that can be brought back: hidden as deleted ones are, as no row of `image`
//! is left of them; their layers' links are referenced from here.

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{digest::Digest, id::Incarnation, time::Timestamp};

use super::args;

/// An expired image.
#[derive(Clone, Debug)]
pub(crate) struct KeptImage {
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    /// The sealed manifest.
    pub(crate) sealed: Vec<u8>,
    /// The tags that it had, as JSON.
    pub(crate) tags: String,
    pub(crate) expired_at: Timestamp,
    pub(crate) kept_until: Timestamp,
}

const COLUMNS: &str = "digest, media_type, manifest, tags, expired_at, kept_until";

impl Row for KeptImage {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            digest: Digest::from_key(columns.blob(0)?)
                .map_err(|_| Error::corrupt("expired_image.digest"))?,
            media_type: columns.text(1)?.to_owned(),
            sealed: columns.blob(2)?.to_vec(),
            tags: columns.text(3)?.to_owned(),
            expired_at: Timestamp::from_millis(columns.int(4)?),
            kept_until: Timestamp::from_millis(columns.int(5)?),
        })
    }
}

impl KeptImage {
    /// The tags that it had.
    pub(crate) fn tags(&self) -> Result<Vec<String>> {
        serde_json::from_str(&self.tags).map_err(|_| Error::corrupt("expired_image.tags"))
    }
}

/// Keeps what an image that is about to be deleted can be brought back from until `until`, instead of what was kept of it
/// before.
pub(crate) fn keep(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &Digest,
    tags: &str,
    until: Timestamp,
) -> Result<()> {
    let (now, key) = (tx.now(), image.to_key());
    forget(tx, incarnation, image)?;
    tx.execute(
        "INSERT INTO expired_image (incarnation, digest, media_type, manifest, subject, tags, expired_at, kept_until) \
         SELECT incarnation, digest, media_type, manifest, subject, ?3, CAST(?4 AS BIGINT), CAST(?5 AS BIGINT) FROM image \
         WHERE incarnation = ?1 AND digest = ?2",
        args![incarnation.as_bytes(), &key, tags, now, until],
    )?;
    tx.execute(
        "INSERT INTO expired_layer (incarnation, image, layer) SELECT incarnation, image, layer FROM image_layer \
         WHERE incarnation = ?1 AND image = ?2",
        args![incarnation.as_bytes(), &key],
    )
    .map(drop)
}

/// Returns what is kept of an image; holds it there.
pub(crate) fn get(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &Digest,
) -> Result<Option<KeptImage>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM expired_image WHERE incarnation = ?1 AND digest = ?2 /*for update*/"
    );
    tx.row(&sql, args![incarnation.as_bytes(), &image.to_key()])
}

/// Returns up to `limit` expired images in order of digest, after `after`.
pub(crate) fn page(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    after: &[u8],
    limit: i64,
) -> Result<Vec<KeptImage>> {
    // Manifests are large, and no list tells them.
    let columns = COLUMNS.replace("manifest", "digest");
    let sql = format!(
        "SELECT {columns} FROM expired_image WHERE incarnation = ?1 AND digest > ?2 ORDER BY digest LIMIT ?3"
    );
    tx.rows(&sql, args![incarnation.as_bytes(), after, limit])
}

/// Returns up to `limit` expired images that refer to `subject`.
pub(crate) fn referrers(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    subject: &Digest,
    limit: i64,
) -> Result<Vec<Digest>> {
    let sql = "SELECT digest FROM expired_image WHERE incarnation = ?1 AND subject = ?2 ORDER BY digest LIMIT ?3";
    tx.rows(sql, args![incarnation.as_bytes(), &subject.to_key(), limit])
}

/// Whether a repository has an image that can still be brought back.
pub(crate) fn any(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<bool> {
    let sql = "SELECT CASE WHEN EXISTS (SELECT 1 FROM expired_image WHERE incarnation = ?1) THEN 1 ELSE 0 END";
    Ok(tx.count(sql, args![incarnation.as_bytes()])? == 1)
}

/// Forgets an expired image. The collector looks at its layers; their links keep what promise they have.
pub(crate) fn forget(tx: &mut dyn Tx, incarnation: Incarnation, image: &Digest) -> Result<()> {
    let (now, key) = (tx.now(), image.to_key());
    tx.execute(
        "INSERT INTO candidate (due, kind, scope, digest) SELECT CAST(?3 AS BIGINT), 1, incarnation, layer \
         FROM expired_layer WHERE incarnation = ?1 AND image = ?2 \
         ON CONFLICT (due, kind, scope, digest) DO UPDATE SET due = excluded.due",
        args![incarnation.as_bytes(), &key, now],
    )?;
    for sql in [
        "DELETE FROM expired_layer WHERE incarnation = ?1 AND image = ?2",
        "DELETE FROM expired_image WHERE incarnation = ?1 AND digest = ?2",
    ] {
        tx.execute(sql, args![incarnation.as_bytes(), &key])?;
    }
    Ok(())
}

/// Returns up to `limit` expired images whose time is over.
pub(crate) fn over(
    tx: &mut dyn Tx,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(Incarnation, Digest)>> {
    let sql = "SELECT incarnation, digest FROM expired_image WHERE kept_until <= ?1 ORDER BY kept_until LIMIT ?2";
    let rows: Vec<(Vec<u8>, Digest)> = tx.rows(sql, args![now, limit])?;
    let parse = |(incarnation, image): (Vec<u8>, Digest)| {
        let incarnation = Incarnation::from_slice(&incarnation);
        let incarnation = incarnation.map_err(|_| Error::corrupt("expired_image.incarnation"))?;
        Ok((incarnation, image))
    };
    rows.into_iter().map(parse).collect()
}

/// Returns up to `limit` expired images of a dead repository.
pub(crate) fn of_dead(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    limit: i64,
) -> Result<Vec<Digest>> {
    let sql = "SELECT digest FROM expired_image WHERE incarnation = ?1 LIMIT ?2";
    tx.rows(sql, args![incarnation.as_bytes(), limit])
}

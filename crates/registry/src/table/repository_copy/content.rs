//! What is in a repository, copied row by row. Nothing here looks at bytes.

use longshore_store::meta::{Result, Tx};
use longshore_types::{digest::Digest, id::Incarnation};

use crate::table::args;

/// From where to where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) source: Incarnation,
    pub(crate) target: Incarnation,
}

/// Returns up to `limit` images of a repository in order of digest, after `after`.
pub(crate) fn images(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    after: &[u8],
    limit: i64,
) -> Result<Vec<Digest>> {
    let sql =
        "SELECT digest FROM image WHERE incarnation = ?1 AND digest > ?2 ORDER BY digest LIMIT ?3";
    tx.rows(sql, args![incarnation.as_bytes(), after, limit])
}

/// Counts the images of a repository.
pub(crate) fn count(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM image WHERE incarnation = ?1";
    tx.count(sql, args![incarnation.as_bytes()])
}

/// Returns whether a repository has that image.
pub(crate) fn has_image(tx: &mut dyn Tx, incarnation: Incarnation, image: &Digest) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM image WHERE incarnation = ?1 AND digest = ?2";
    let found = tx.count(sql, args![incarnation.as_bytes(), &image.to_key()])?;
    Ok(found == 1)
}

/// Returns the sealed manifest of an image.
pub(crate) fn manifest(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &Digest,
) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT manifest FROM image WHERE incarnation = ?1 AND digest = ?2";
    tx.row(sql, args![incarnation.as_bytes(), &image.to_key()])
}

/// Returns the layers of the source's image that the target does not have.
pub(crate) fn missing_layers(tx: &mut dyn Tx, pair: Pair, image: &Digest) -> Result<Vec<Digest>> {
    tx.rows(
        "SELECT y.layer FROM image_layer y WHERE y.incarnation = ?1 AND y.image = ?3 \
         AND NOT EXISTS (SELECT 1 FROM link l WHERE l.incarnation = ?2 AND l.digest = y.layer) ORDER BY y.layer",
        args![
            pair.source.as_bytes(),
            pair.target.as_bytes(),
            &image.to_key()
        ],
    )
}

/// Holds an image of the source as it is until the transaction ends; returns whether it is there.
pub(crate) fn hold_image(tx: &mut dyn Tx, source: Incarnation, image: &Digest) -> Result<bool> {
    let sql = "SELECT 1 FROM image WHERE incarnation = ?1 AND digest = ?2 /*for share*/";
    let found: Option<i64> = tx.row(sql, args![source.as_bytes(), &image.to_key()])?;
    Ok(found.is_some())
}

/// Links the layers of the source's image in the target, which is in the same encryption domain. They need no promise: the
/// image that follows in the same transaction references them.
pub(crate) fn link_layers(tx: &mut dyn Tx, pair: Pair, image: &Digest) -> Result<u64> {
    let now = tx.now();
    tx.execute(
        "INSERT INTO link (incarnation, digest, domain, keep_until, withdrawn) \
         SELECT t.incarnation, y.layer, t.domain, CAST(?4 AS BIGINT), 0 FROM image_layer y JOIN repository t ON t.incarnation = ?2 \
         WHERE y.incarnation = ?1 AND y.image = ?3 ON CONFLICT DO NOTHING",
        args![
            pair.source.as_bytes(),
            pair.target.as_bytes(),
            &image.to_key(),
            now
        ],
    )
}

/// What the target's image had from an earlier look and the source's has no more: `?1` the source, `?2` the target, `?3` the image.
const GONE_FROM_AN_IMAGE: [&str; 3] = [
    "DELETE FROM image_storage WHERE incarnation = ?2 AND image = ?3 \
     AND NOT EXISTS (SELECT 1 FROM image_storage s WHERE s.incarnation = ?1 AND s.image = ?3)",
    "DELETE FROM image_pull WHERE incarnation = ?2 AND digest = ?3 \
     AND NOT EXISTS (SELECT 1 FROM image_pull s WHERE s.incarnation = ?1 AND s.digest = ?3)",
    "DELETE FROM image_lease WHERE incarnation = ?2 AND image = ?3 \
     AND NOT EXISTS (SELECT 1 FROM image_lease s WHERE s.incarnation = ?1 AND s.image = ?3)",
];

/// What belongs to one image, in the order in which it is made: `t` is the target's row, `?1` the source, `?3` the image.
const OF_AN_IMAGE: [&str; 7] = [
    "INSERT INTO image_layer (incarnation, image, layer, media_type, status) SELECT t.incarnation, x.image, x.layer, x.media_type, x.status \
     FROM image_layer x JOIN repository t ON t.incarnation = ?2 WHERE x.incarnation = ?1 AND x.image = ?3 \
     ON CONFLICT (incarnation, image, layer) DO UPDATE SET status = excluded.status",
    "INSERT INTO image_absent_layer (incarnation, layer, image, media_type) SELECT t.incarnation, x.layer, x.image, x.media_type \
     FROM image_absent_layer x JOIN repository t ON t.incarnation = ?2 WHERE x.incarnation = ?1 AND x.image = ?3 \
     AND NOT EXISTS (SELECT 1 FROM image_layer y WHERE y.incarnation = ?2 AND y.image = ?3 AND y.layer = x.layer) ON CONFLICT DO NOTHING",
    "INSERT INTO image_child (incarnation, image, child) SELECT t.incarnation, x.image, x.child \
     FROM image_child x JOIN repository t ON t.incarnation = ?2 WHERE x.incarnation = ?1 AND x.image = ?3 ON CONFLICT DO NOTHING",
    "INSERT INTO image_alias (incarnation, digest, image) SELECT t.incarnation, x.digest, x.image \
     FROM image_alias x JOIN repository t ON t.incarnation = ?2 WHERE x.incarnation = ?1 AND x.image = ?3 ON CONFLICT DO NOTHING",
    "INSERT INTO image_storage (incarnation, image, status, archived_at, activated_at, due) \
     SELECT t.incarnation, x.image, x.status, x.archived_at, x.activated_at, x.due \
     FROM image_storage x JOIN repository t ON t.incarnation = ?2 WHERE x.incarnation = ?1 AND x.image = ?3 \
     ON CONFLICT (incarnation, image) DO UPDATE SET status = excluded.status, archived_at = excluded.archived_at, \
     activated_at = excluded.activated_at, due = excluded.due",
    "INSERT INTO image_pull (incarnation, digest, pulled_at) SELECT t.incarnation, x.digest, x.pulled_at \
     FROM image_pull x JOIN repository t ON t.incarnation = ?2 WHERE x.incarnation = ?1 AND x.digest = ?3 \
     ON CONFLICT (incarnation, digest) DO UPDATE SET pulled_at = excluded.pulled_at",
    "INSERT INTO image_lease (incarnation, image, expires_at) SELECT t.incarnation, x.image, x.expires_at \
     FROM image_lease x JOIN repository t ON t.incarnation = ?2 WHERE x.incarnation = ?1 AND x.image = ?3 \
     ON CONFLICT (incarnation, image) DO UPDATE SET expires_at = excluded.expires_at",
];

/// Makes the image in the target what it is in the source, but for its tags: its storage class, last pull and lease, too. Its layers must be linked there. `sealed` is its manifest
/// for the target's encryption domain, if that is another. Returns how many rows that took.
pub(crate) fn put_image(
    tx: &mut dyn Tx,
    pair: Pair,
    image: &Digest,
    sealed: Option<&Vec<u8>>,
) -> Result<u64> {
    let (source, target) = (pair.source.as_bytes(), pair.target.as_bytes());
    let key = image.to_key();
    let mut rows = tx.execute(
        "INSERT INTO image (incarnation, digest, media_type, artifact_type, artifact_media_type, manifest_bytes, size, pushed_at, \
         subject, annotations, manifest) SELECT t.incarnation, s.digest, s.media_type, s.artifact_type, s.artifact_media_type, \
         s.manifest_bytes, s.size, s.pushed_at, s.subject, s.annotations, COALESCE(?4, s.manifest) \
         FROM image s JOIN repository t ON t.incarnation = ?2 WHERE s.incarnation = ?1 AND s.digest = ?3 \
         ON CONFLICT (incarnation, digest) DO UPDATE SET pushed_at = excluded.pushed_at, size = excluded.size",
        args![source, target, &key, sealed],
    )?;
    for sql in GONE_FROM_AN_IMAGE.into_iter().chain(OF_AN_IMAGE) {
        rows += tx.execute(sql, args![source, target, &key])?;
    }
    // A layer that an image lacked and has now is no longer lacking.
    tx.execute(
        "DELETE FROM image_absent_layer WHERE incarnation = ?1 AND image = ?2 AND layer IN \
         (SELECT y.layer FROM image_layer y WHERE y.incarnation = ?1 AND y.image = ?2)",
        args![target, &key],
    )?;
    Ok(rows)
}

/// Makes up to `limit` tags of the source after `after` name the same images in the target, as far as those are there. Returns the
/// last name that was looked at and how many there were.
pub(crate) fn put_tags(
    tx: &mut dyn Tx,
    pair: Pair,
    after: &str,
    limit: i64,
) -> Result<(String, i64)> {
    let sql = "SELECT name FROM tag WHERE incarnation = ?1 AND name > ?2 ORDER BY name LIMIT ?3";
    let names: Vec<String> = tx.rows(sql, args![pair.source.as_bytes(), after, limit])?;
    let Some(last) = names.last() else {
        return Ok((after.to_owned(), 0));
    };
    tx.execute(
        "INSERT INTO tag (incarnation, name, image, pushed_as, created_at) SELECT i.incarnation, s.name, s.image, s.pushed_as, s.created_at \
         FROM tag s JOIN image i ON i.incarnation = ?2 AND i.digest = s.image WHERE s.incarnation = ?1 AND s.name > ?3 AND s.name <= ?4 \
         ON CONFLICT (incarnation, name) DO UPDATE SET image = excluded.image, pushed_as = excluded.pushed_as, \
         created_at = excluded.created_at",
        args![pair.source.as_bytes(), pair.target.as_bytes(), after, last],
    )?;
    Ok((last.clone(), i64::try_from(names.len()).unwrap_or(i64::MAX)))
}

/// Makes the tag in the target what it is in the source; returns whether it could, for its image may not be there yet.
pub(crate) fn put_tag(tx: &mut dyn Tx, pair: Pair, name: &str) -> Result<bool> {
    let (source, target) = (pair.source.as_bytes(), pair.target.as_bytes());
    let put = tx.execute(
        "INSERT INTO tag (incarnation, name, image, pushed_as, created_at) SELECT i.incarnation, s.name, s.image, s.pushed_as, s.created_at \
         FROM tag s JOIN image i ON i.incarnation = ?2 AND i.digest = s.image WHERE s.incarnation = ?1 AND s.name = ?3 \
         ON CONFLICT (incarnation, name) DO UPDATE SET image = excluded.image, pushed_as = excluded.pushed_as, \
         created_at = excluded.created_at",
        args![source, target, name],
    )?;
    if put == 1 {
        return Ok(true);
    }
    let sql = "SELECT COUNT(*) FROM tag WHERE incarnation = ?1 AND name = ?2";
    if tx.count(sql, args![source, name])? == 1 {
        return Ok(false);
    }
    let sql = "DELETE FROM tag WHERE incarnation = ?1 AND name = ?2";
    tx.execute(sql, args![target, name])?;
    Ok(true)
}

/// Carries over what a repository has beside its images: resource tags, the lifecycle policy with when it ran, and the subjects that
/// referrers are to follow.
pub(crate) fn put_settings(tx: &mut dyn Tx, pair: Pair) -> Result<()> {
    let now = tx.now();
    let (source, target) = (pair.source.as_bytes(), pair.target.as_bytes());
    for sql in [
        "INSERT INTO repository_tag (incarnation, name, value) SELECT t.incarnation, s.name, s.value \
         FROM repository_tag s JOIN repository t ON t.incarnation = ?2 WHERE s.incarnation = ?1",
        "INSERT INTO subject_gone (incarnation, subject, gone_at) SELECT t.incarnation, s.subject, s.gone_at \
         FROM subject_gone s JOIN repository t ON t.incarnation = ?2 WHERE s.incarnation = ?1 ORDER BY s.subject LIMIT 1000",
    ] {
        tx.execute(sql, args![source, target])?;
    }
    tx.execute(
        "INSERT INTO lifecycle_policy (incarnation, policy, waits_since, evaluated_at) \
         SELECT t.incarnation, s.policy, CAST(?3 AS BIGINT), s.evaluated_at \
         FROM lifecycle_policy s JOIN repository t ON t.incarnation = ?2 WHERE s.incarnation = ?1",
        args![source, target, now],
    )
    .map(drop)
}

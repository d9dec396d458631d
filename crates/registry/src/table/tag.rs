//! Tags: names of images.

use std::collections::HashMap;

use longshore_store::meta::{Columns, Error, Result, Row, Tx, Value};
use longshore_types::{digest::Digest, id::Incarnation, name::ImageTag, time::Timestamp};

use super::{
    ROWS_PER_STATEMENT, args, guard::Versions, guarded, image_storage::StatusFilter, placeholders,
    values,
};
use crate::authz::Grant;

fn digest(key: &[u8]) -> Result<Digest> {
    Digest::from_key(key).map_err(|_| Error::corrupt("tag.image"))
}

/// Returns the images that those of `tags` that exist name.
pub(crate) fn images(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    tags: &[ImageTag],
) -> Result<HashMap<String, Digest>> {
    if tags.is_empty() {
        return Ok(HashMap::new());
    }
    let mut args = vec![Value::from(incarnation.as_bytes())];
    args.extend(tags.iter().map(|tag| Value::from(tag.as_str())));
    let list = placeholders(1, tags.len());
    let sql = format!(
        "SELECT name, image FROM tag WHERE incarnation = ?1 AND name IN ({list}) /*for update*/"
    );
    let rows: Vec<(String, Vec<u8>)> = tx.rows(&sql, &args)?;
    rows.into_iter()
        .map(|(name, key)| Ok((name, digest(&key)?)))
        .collect()
}

/// Returns the images that those of `tags` that exist name, without holding them.
pub(crate) fn named(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    tags: &[ImageTag],
) -> Result<HashMap<ImageTag, Digest>> {
    let mut found = HashMap::new();
    for chunk in tags.chunks(ROWS_PER_STATEMENT) {
        let mut args = vec![Value::from(incarnation.as_bytes())];
        args.extend(chunk.iter().map(|tag| Value::from(tag.as_str())));
        let list = placeholders(1, chunk.len());
        let sql =
            format!("SELECT name, image FROM tag WHERE incarnation = ?1 AND name IN ({list})");
        for (name, image) in tx.rows::<(String, Digest)>(&sql, &args)? {
            let name = name.parse().map_err(|_| Error::corrupt("tag.name"))?;
            found.insert(name, image);
        }
    }
    Ok(found)
}

/// Makes `tags` name `image`, wherever they were before. `pushed_as` is another digest of it that they were pushed with.
pub(crate) fn put(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &Digest,
    pushed_as: Option<&Digest>,
    tags: &[ImageTag],
) -> Result<()> {
    let moved = "ON CONFLICT (incarnation, name) DO UPDATE SET image = excluded.image, pushed_as = excluded.pushed_as, \
                 created_at = CASE WHEN tag.image = excluded.image THEN tag.created_at ELSE excluded.created_at END";
    write(tx, incarnation, (image, pushed_as), tags, moved)
}

/// Makes `tags` name `image`; fails if there is any of them.
pub(crate) fn insert(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &Digest,
    pushed_as: Option<&Digest>,
    tags: &[ImageTag],
) -> Result<()> {
    write(tx, incarnation, (image, pushed_as), tags, "")
}

fn write(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    (image, pushed_as): (&Digest, Option<&Digest>),
    tags: &[ImageTag],
    on_conflict: &str,
) -> Result<()> {
    if tags.is_empty() {
        return Ok(());
    }
    let (key, pushed_as) = (image.to_key(), pushed_as.map(Digest::to_key));
    let mut args = vec![
        Value::from(incarnation.as_bytes()),
        Value::from(&key),
        Value::from(pushed_as.as_ref()),
        Value::from(tx.now()),
    ];
    args.extend(tags.iter().map(|tag| Value::from(tag.as_str())));
    let sql = format!(
        "INSERT INTO tag (incarnation, image, pushed_as, created_at, name) VALUES {} {on_conflict}",
        values(4, 1, tags.len())
    );
    tx.execute(&sql, &args).map(drop)
}

/// A tag and the image that it names.
#[derive(Debug)]
pub(crate) struct Tagged {
    pub(crate) name: String,
    pub(crate) image: Digest,
    /// Since when it has named it.
    pub(crate) created_at: Timestamp,
}

impl Row for Tagged {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            name: columns.text(0)?.to_owned(),
            image: digest(columns.blob(1)?)?,
            created_at: Timestamp::from_millis(columns.int(2)?),
        })
    }
}

/// Returns up to `limit` tags in order, after `after`, each with its image.
pub(crate) fn page_with_images(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    after: &str,
    limit: i64,
) -> Result<Vec<Tagged>> {
    tx.rows(
        "SELECT name, image, created_at FROM tag WHERE incarnation = ?1 AND name > ?2 ORDER BY name LIMIT ?3",
        args![incarnation.as_bytes(), after, limit],
    )
}

/// Removes a tag; returns whether it was there.
pub(crate) fn remove(tx: &mut dyn Tx, incarnation: Incarnation, tag: &ImageTag) -> Result<bool> {
    let sql = "DELETE FROM tag WHERE incarnation = ?1 AND name = ?2";
    Ok(tx.execute(sql, args![incarnation.as_bytes(), tag.as_str()])? == 1)
}

/// Counts the tags of an image, up to `most`.
pub(crate) fn count(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &Digest,
    most: i64,
) -> Result<i64> {
    let sql =
        "SELECT COUNT(*) FROM (SELECT 1 FROM tag WHERE incarnation = ?1 AND image = ?2 LIMIT ?3) x";
    tx.count(sql, args![incarnation.as_bytes(), &image.to_key(), most])
}

/// Returns up to `limit` tags of an image.
pub(crate) fn of_image(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &Digest,
    limit: i64,
) -> Result<Vec<String>> {
    let sql = "SELECT name FROM tag WHERE incarnation = ?1 AND image = ?2 ORDER BY name LIMIT ?3";
    tx.rows(sql, args![incarnation.as_bytes(), &image.to_key(), limit])
}

/// Removes all tags of an image.
pub(crate) fn remove_all(tx: &mut dyn Tx, incarnation: Incarnation, image: &Digest) -> Result<()> {
    let sql = "DELETE FROM tag WHERE incarnation = ?1 AND image = ?2";
    tx.execute(sql, args![incarnation.as_bytes(), &image.to_key()])
        .map(drop)
}

/// Returns up to `limit` tags of `images`, in the order given, each image's in order of name.
pub(crate) fn of_images(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    images: &[Digest],
    limit: usize,
) -> Result<Vec<(Digest, String)>> {
    let mut found: Vec<(Digest, String)> = Vec::new();
    for chunk in images.chunks(ROWS_PER_STATEMENT) {
        let keys: Vec<Vec<u8>> = chunk.iter().map(Digest::to_key).collect();
        let left = i64::try_from(limit.saturating_sub(found.len())).unwrap_or(i64::MAX);
        let mut args = vec![Value::from(incarnation.as_bytes()), Value::from(left)];
        args.extend(keys.iter().map(Value::from));
        let list = placeholders(2, keys.len());
        let sql = format!(
            "SELECT image, name FROM tag WHERE incarnation = ?1 AND image IN ({list}) ORDER BY image, name LIMIT ?2"
        );
        found.extend(tx.rows::<(Digest, String)>(&sql, &args)?);
    }
    Ok(found)
}

/// Returns up to `limit` pairs of image and tag in that order, after `after` and up to the image `until`, of images of a status.
pub(crate) fn page_by_image(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    (after, until): ((&[u8], &str), &[u8]),
    images: StatusFilter,
    limit: i64,
) -> Result<Vec<(Digest, String)>> {
    let sql = format!(
        "SELECT t.image, t.name FROM tag t WHERE t.incarnation = ?1 AND t.image >= ?2 AND t.image <= ?3 \
         AND (t.image > ?2 OR t.name > ?4) {} ORDER BY t.image, t.name LIMIT ?5",
        images.condition("t.incarnation", "t.image")
    );
    let args = args![incarnation.as_bytes(), after.0, until, after.1, limit];
    tx.rows(&sql, args)
}

/// Returns up to `limit` tags of active images of the grant's repository in order, after `after`. One statement.
pub(crate) fn page(
    tx: &mut dyn Tx,
    grant: &Grant,
    after: &str,
    limit: i64,
) -> crate::Result<Vec<String>> {
    let incarnation = grant.repository()?.incarnation;
    let (mut versions, mut found) = (None, Vec::new());
    tx.query(
        guarded!(
            "t.name",
            "LEFT JOIN tag t ON t.incarnation = r.incarnation AND t.name > ?3 AND NOT EXISTS (SELECT 1 FROM image_storage s \
             WHERE s.incarnation = t.incarnation AND s.image = t.image AND s.status > 0)",
            "ORDER BY t.name LIMIT ?4"
        ),
        // A page of none still answers the versions.
        args![
            grant.guard_account(),
            incarnation.as_bytes(),
            after,
            limit.max(1)
        ],
        &mut |columns| {
            versions = Some(Versions::read(columns)?);
            found.extend(columns.opt_text(3)?.map(str::to_owned));
            Ok(())
        },
    )?;
    grant.check(versions)?;
    found.truncate(usize::try_from(limit).unwrap_or(0));
    Ok(found)
}

//! Images: manifests, what they reference, and their other digests.

mod list;
mod referrer;

use std::collections::HashMap;

use longshore_store::meta::{Columns, Error, Result, Row, Tx, Value};
use longshore_types::{
    digest::{Algorithm, Digest},
    id::Incarnation,
    name::{ImageTag, Reference},
    time::Timestamp,
};

pub(crate) use self::{
    list::{Detail, TagStatus, details, page, page_with_tags},
    referrer::{Referrer, referrers},
};
use super::{
    ROWS_PER_STATEMENT, args, guard::Versions, guarded, placeholders, repository_copy::change,
    values,
};
use crate::authz::Grant;

/// A manifest as stored; `sealed` is absent when only the facts were asked for.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) bytes: i64,
    pub(crate) sealed: Option<Vec<u8>>,
    /// Another digest of it that the tag asked for was pushed with.
    pub(crate) pushed_as: Option<Digest>,
}

fn stored(columns: &dyn Columns, first: usize) -> Result<Option<Stored>> {
    if columns.is_null(first)? {
        return Ok(None);
    }
    Ok(Some(Stored {
        digest: digest(columns, first)?,
        media_type: columns.text(first + 1)?.to_owned(),
        bytes: columns.int(first + 2)?,
        sealed: columns.opt_blob(first + 3)?.map(<[u8]>::to_vec),
        pushed_as: if columns.is_null(first + 4)? {
            None
        } else {
            Some(digest(columns, first + 4)?)
        },
    }))
}

fn digest(columns: &dyn Columns, idx: usize) -> Result<Digest> {
    Digest::from_key(columns.blob(idx)?).map_err(|_| Error::corrupt("a digest of an image"))
}

const BY_TAG: &str = guarded!(
    "i.digest, i.media_type, i.manifest_bytes, CASE WHEN ?4 = 1 THEN i.manifest END, t.pushed_as",
    "LEFT JOIN tag t ON t.incarnation = r.incarnation AND t.name = ?3 \
     LEFT JOIN image i ON i.incarnation = t.incarnation AND i.digest = t.image \
     AND NOT EXISTS (SELECT 1 FROM image_storage s WHERE s.incarnation = i.incarnation AND s.image = i.digest AND s.status > 0)",
    ""
);

const BY_DIGEST: &str = guarded!(
    "i.digest, i.media_type, i.manifest_bytes, CASE WHEN ?4 = 1 THEN i.manifest END, NULL",
    "LEFT JOIN image i ON i.incarnation = r.incarnation AND i.digest = ?3 \
     AND NOT EXISTS (SELECT 1 FROM image_storage s WHERE s.incarnation = i.incarnation AND s.image = i.digest AND s.status > 0)",
    ""
);

const BY_ALIAS: &str = guarded!(
    "i.digest, i.media_type, i.manifest_bytes, CASE WHEN ?4 = 1 THEN i.manifest END, NULL",
    "LEFT JOIN image_alias x ON x.incarnation = r.incarnation AND x.digest = ?3 \
     LEFT JOIN image i ON i.incarnation = x.incarnation AND i.digest = x.image \
     AND NOT EXISTS (SELECT 1 FROM image_storage s WHERE s.incarnation = i.incarnation AND s.image = i.digest AND s.status > 0)",
    ""
);

/// Returns the active image that `reference` names in the grant's repository, with its manifest if `whole`. One statement.
pub(crate) fn find(
    tx: &mut dyn Tx,
    grant: &Grant,
    reference: &Reference,
    whole: bool,
) -> crate::Result<Option<Stored>> {
    let incarnation = grant.repository()?.incarnation;
    let account = grant.guard_account();
    let (mut versions, mut found) = (None, None);
    let mut each = |columns: &dyn Columns| {
        versions = Some(Versions::read(columns)?);
        found = stored(columns, 3)?;
        Ok(())
    };
    match reference {
        Reference::Tag(tag) => {
            tx.query(
                BY_TAG,
                args![account, incarnation.as_bytes(), tag.as_str(), whole],
                &mut each,
            )?;
        }
        Reference::Digest(digest) => {
            let sql = if digest.algorithm() == Algorithm::Sha256 {
                BY_DIGEST
            } else {
                BY_ALIAS
            };
            tx.query(
                sql,
                args![account, incarnation.as_bytes(), &digest.to_key(), whole],
                &mut each,
            )?;
        }
    }
    grant.check(versions)?;
    Ok(found)
}

/// Counts the images of a repository, up to `most`.
pub(crate) fn count(tx: &mut dyn Tx, incarnation: Incarnation, most: i64) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM image WHERE incarnation = ?1 LIMIT ?2) x";
    tx.count(sql, args![incarnation.as_bytes(), most])
}

/// Returns the SHA-256 digest of the image that any digest of it names; holds it there.
pub(crate) fn resolve(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    digest: &Digest,
) -> Result<Option<Digest>> {
    let sql = if digest.algorithm() == Algorithm::Sha256 {
        "SELECT digest FROM image WHERE incarnation = ?1 AND digest = ?2 /*for update*/"
    } else {
        "SELECT i.digest FROM image_alias x JOIN image i ON i.incarnation = x.incarnation AND i.digest = x.image \
         WHERE x.incarnation = ?1 AND x.digest = ?2 /*for update*/"
    };
    let key: Option<Vec<u8>> = tx.row(sql, args![incarnation.as_bytes(), &digest.to_key()])?;
    key.map(|key| Digest::from_key(&key).map_err(|_| Error::corrupt("image.digest")))
        .transpose()
}

/// Returns the images that `digests` name, by the digest asked for, without holding them.
pub(crate) fn resolve_all(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    digests: &[Digest],
) -> Result<HashMap<Digest, Digest>> {
    let mut found = HashMap::new();
    for chunk in digests.chunks(ROWS_PER_STATEMENT) {
        let keys: Vec<Vec<u8>> = chunk.iter().map(Digest::to_key).collect();
        let mut args = vec![Value::from(incarnation.as_bytes())];
        args.extend(keys.iter().map(Value::from));
        let list = placeholders(1, keys.len());
        let sql = format!(
            "SELECT digest, digest FROM image WHERE incarnation = ?1 AND digest IN ({list}) \
             UNION ALL SELECT digest, image FROM image_alias WHERE incarnation = ?1 AND digest IN ({list})"
        );
        found.extend(tx.rows::<(Digest, Digest)>(&sql, &args)?);
    }
    Ok(found)
}

/// Returns `images`, with their manifests if `whole`.
pub(crate) fn stored_all(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    images: &[Digest],
    whole: bool,
) -> Result<HashMap<Digest, Stored>> {
    let mut found = HashMap::new();
    for chunk in images.chunks(ROWS_PER_STATEMENT) {
        let keys: Vec<Vec<u8>> = chunk.iter().map(Digest::to_key).collect();
        let mut args = vec![Value::from(incarnation.as_bytes()), Value::from(whole)];
        args.extend(keys.iter().map(Value::from));
        let sql = format!(
            "SELECT digest, media_type, manifest_bytes, CASE WHEN ?2 = 1 THEN manifest END, NULL FROM image \
             WHERE incarnation = ?1 AND digest IN ({})",
            placeholders(2, keys.len())
        );
        tx.query(&sql, &args, &mut |columns| {
            found.extend(stored(columns, 0)?.map(|image| (image.digest, image)));
            Ok(())
        })?;
    }
    Ok(found)
}

/// Everything about a new image but its tags.
#[derive(Clone, Debug)]
pub(crate) struct NewImage {
    pub(crate) digest: Digest,
    pub(crate) alias: Option<Digest>,
    pub(crate) media_type: String,
    pub(crate) artifact_type: Option<String>,
    pub(crate) artifact_media_type: Option<String>,
    pub(crate) manifest_bytes: i64,
    pub(crate) size: i64,
    pub(crate) subject: Option<Digest>,
    pub(crate) annotations: Option<String>,
    pub(crate) sealed: Vec<u8>,
    /// Until when that may go into a row.
    pub(crate) seals_until: Timestamp,
    /// Blobs that must be linked, once each, with their media types.
    pub(crate) layers: Vec<(Digest, String)>,
    /// Manifests that an index names, once each.
    pub(crate) children: Vec<Digest>,
}

/// Stores an image. `absent` are those of its layers that are not linked here.
pub(crate) fn insert(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &NewImage,
    size: i64,
    absent: &[Digest],
) -> Result<()> {
    let now = tx.now();
    let key = image.digest.to_key();
    let subject = image.subject.as_ref().map(Digest::to_key);
    tx.execute(
        "INSERT INTO image (incarnation, digest, media_type, artifact_type, artifact_media_type, manifest_bytes, size, pushed_at, \
         subject, annotations, manifest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        args![
            incarnation.as_bytes(),
            &key,
            &image.media_type,
            image.artifact_type.as_ref(),
            image.artifact_media_type.as_ref(),
            image.manifest_bytes,
            size,
            now,
            subject.as_ref(),
            image.annotations.as_ref(),
            &image.sealed,
        ],
    )?;
    let is_absent = |layer: &&(Digest, String)| absent.contains(&layer.0);
    let (absent, linked): (Vec<_>, Vec<_>) = image.layers.iter().partition(is_absent);
    insert_layers(tx, "image_layer", incarnation, &key, &linked)?;
    insert_layers(tx, "image_absent_layer", incarnation, &key, &absent)?;
    insert_children(tx, incarnation, &key, &image.children)
}

fn insert_layers(
    tx: &mut dyn Tx,
    table: &str,
    incarnation: Incarnation,
    image: &[u8],
    layers: &[&(Digest, String)],
) -> Result<()> {
    for chunk in layers.chunks(ROWS_PER_STATEMENT) {
        let keys: Vec<Vec<u8>> = chunk.iter().map(|(digest, _)| digest.to_key()).collect();
        let mut args = vec![Value::from(incarnation.as_bytes()), Value::from(image)];
        for (key, (_, media_type)) in keys.iter().zip(chunk) {
            args.extend([Value::from(key), Value::from(media_type)]);
        }
        let rows = values(2, 2, chunk.len());
        let sql =
            format!("INSERT INTO {table} (incarnation, image, layer, media_type) VALUES {rows}");
        tx.execute(&sql, &args)?;
    }
    Ok(())
}

fn insert_children(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &[u8],
    children: &[Digest],
) -> Result<()> {
    for chunk in children.chunks(ROWS_PER_STATEMENT) {
        let keys: Vec<Vec<u8>> = chunk.iter().map(Digest::to_key).collect();
        let mut args = vec![Value::from(incarnation.as_bytes()), Value::from(image)];
        args.extend(keys.iter().map(Value::from));
        let rows = values(2, 1, chunk.len());
        tx.execute(
            &format!("INSERT INTO image_child (incarnation, image, child) VALUES {rows}"),
            &args,
        )?;
    }
    Ok(())
}

/// Makes the images that name `layer` reference it, now that it is linked.
pub(crate) fn layer_came(tx: &mut dyn Tx, incarnation: Incarnation, layer: &Digest) -> Result<()> {
    let key = layer.to_key();
    let moved = tx.execute(
        "INSERT INTO image_layer (incarnation, image, layer, media_type, status) SELECT a.incarnation, a.image, a.layer, a.media_type, \
         COALESCE((SELECT s.status FROM image_storage s WHERE s.incarnation = a.incarnation AND s.image = a.image), 0) \
         FROM image_absent_layer a WHERE a.incarnation = ?1 AND a.layer = ?2",
        args![incarnation.as_bytes(), &key],
    )?;
    if moved > 0 {
        change::layer_comes(tx, incarnation, layer)?;
        let sql = "DELETE FROM image_absent_layer WHERE incarnation = ?1 AND layer = ?2";
        tx.execute(sql, args![incarnation.as_bytes(), &key])?;
    }
    Ok(())
}

/// Records another digest of an image.
pub(crate) fn insert_alias(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    alias: &Digest,
    image: &Digest,
) -> Result<()> {
    tx.execute(
        "INSERT INTO image_alias (incarnation, digest, image) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        args![incarnation.as_bytes(), &alias.to_key(), &image.to_key()],
    )
    .map(drop)
}

/// Notes that an image was pushed again.
pub(crate) fn touch(tx: &mut dyn Tx, incarnation: Incarnation, digest: &Digest) -> Result<()> {
    let now = tx.now();
    let sql = "UPDATE image SET pushed_at = ?3 WHERE incarnation = ?1 AND digest = ?2";
    tx.execute(sql, args![incarnation.as_bytes(), &digest.to_key(), now])
        .map(drop)
}

/// Returns those of `digests` that are images here, by the digest they were asked by, with their size; holds them there.
pub(crate) fn present(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    digests: &[Digest],
) -> Result<Vec<(Digest, i64)>> {
    let mut found = Vec::with_capacity(digests.len());
    for chunk in digests.chunks(ROWS_PER_STATEMENT) {
        let keys: Vec<Vec<u8>> = chunk.iter().map(Digest::to_key).collect();
        let mut args = vec![Value::from(incarnation.as_bytes())];
        args.extend(keys.iter().map(Value::from));
        let list = placeholders(1, keys.len());
        let direct = format!(
            "SELECT digest, size FROM image WHERE incarnation = ?1 AND digest IN ({list}) /*for share*/"
        );
        let by_alias = format!(
            "SELECT x.digest, i.size FROM image_alias x JOIN image i ON i.incarnation = x.incarnation AND i.digest = x.image \
             WHERE x.incarnation = ?1 AND x.digest IN ({list}) /*for share*/"
        );
        for sql in [direct, by_alias] {
            tx.query(&sql, &args, &mut |columns| {
                found.push((digest(columns, 0)?, columns.int(1)?));
                Ok(())
            })?;
        }
    }
    Ok(found)
}

const IS_CHILD: &str = "SELECT CASE WHEN EXISTS (SELECT 1 FROM \
     (SELECT digest FROM image WHERE incarnation = ?1 AND digest = ?2 \
     UNION ALL SELECT digest FROM image_alias WHERE incarnation = ?1 AND image = ?2) d \
     CROSS JOIN image_child c WHERE c.incarnation = ?1 AND c.child = d.digest) THEN 1 ELSE 0 END";

/// Returns whether an index in the repository names the image, by any digest of it.
pub(crate) fn is_child(tx: &mut dyn Tx, incarnation: Incarnation, image: &Digest) -> Result<bool> {
    let found = tx.count(IS_CHILD, args![incarnation.as_bytes(), &image.to_key()])?;
    Ok(found == 1)
}

/// Returns up to `limit` indexes that name one of `images`, by any digest of it.
pub(crate) fn parents(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    images: &[Digest],
    limit: usize,
) -> Result<Vec<Digest>> {
    let mut found: Vec<Digest> = Vec::new();
    for chunk in images.chunks(ROWS_PER_STATEMENT) {
        let keys: Vec<Vec<u8>> = chunk.iter().map(Digest::to_key).collect();
        let mut args = vec![Value::from(incarnation.as_bytes())];
        args.extend(keys.iter().map(Value::from));
        let sql = format!("{} LIMIT {}", parents_of(chunk.len()), limit - found.len());
        found.extend(tx.rows::<Digest>(&sql, &args)?);
    }
    Ok(found)
}

fn parents_of(n_images: usize) -> String {
    let list = placeholders(1, n_images);
    format!(
        "SELECT DISTINCT c.image FROM (SELECT digest FROM image WHERE incarnation = ?1 AND digest IN ({list}) \
         UNION ALL SELECT digest FROM image_alias WHERE incarnation = ?1 AND image IN ({list})) d \
         CROSS JOIN image_child c WHERE c.incarnation = ?1 AND c.child = d.digest"
    )
}

/// Returns whether the repository has an image.
pub(crate) fn any(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<bool> {
    let sql =
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM image WHERE incarnation = ?1) THEN 1 ELSE 0 END";
    Ok(tx.count(sql, args![incarnation.as_bytes()])? == 1)
}

/// Removes an image that has no tags; the links it let go must have been raised before.
pub(crate) fn remove(tx: &mut dyn Tx, incarnation: Incarnation, image: &Digest) -> Result<()> {
    let key = image.to_key();
    for sql in [
        "DELETE FROM image_lease WHERE incarnation = ?1 AND image = ?2",
        "DELETE FROM image_layer WHERE incarnation = ?1 AND image = ?2",
        "DELETE FROM image_absent_layer WHERE incarnation = ?1 AND image = ?2",
        "DELETE FROM image_child WHERE incarnation = ?1 AND image = ?2",
        "DELETE FROM image_alias WHERE incarnation = ?1 AND image = ?2",
        "DELETE FROM image_pull WHERE incarnation = ?1 AND digest = ?2",
        "DELETE FROM image_storage WHERE incarnation = ?1 AND image = ?2",
        "DELETE FROM image WHERE incarnation = ?1 AND digest = ?2",
    ] {
        tx.execute(sql, args![incarnation.as_bytes(), &key])?;
    }
    Ok(())
}

/// Returns up to `limit` images of a dead repository.
pub(crate) fn of_dead(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    limit: i64,
) -> Result<Vec<Vec<u8>>> {
    let sql = "SELECT digest FROM image WHERE incarnation = ?1 LIMIT ?2";
    tx.rows(sql, args![incarnation.as_bytes(), limit])
}

/// Returns the image that a tag names, inside a transaction that has proven its grant; holds it there.
pub(crate) fn tagged(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    tag: &ImageTag,
) -> Result<Option<Digest>> {
    let sql = "SELECT image FROM tag WHERE incarnation = ?1 AND name = ?2 /*for update*/";
    let key: Option<Vec<u8>> = tx.row(sql, args![incarnation.as_bytes(), tag.as_str()])?;
    key.map(|key| Digest::from_key(&key).map_err(|_| Error::corrupt("tag.image")))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::plan::plan;

    #[tokio::test]
    async fn the_indexes_that_name_an_image_are_found_by_it() {
        for (sql, n_args) in [(IS_CHILD.to_owned(), 2), (parents_of(3), 4)] {
            let plan = plan(&sql, n_args).await;
            let keys = "image_child_child (incarnation=? AND child=?)";
            assert!(plan.contains(keys), "{plan}");
        }
    }
}

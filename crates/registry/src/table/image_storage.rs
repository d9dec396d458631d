//! How images are stored: active, archived, or on their way back.
//!
//! An image without a row here is active and was never archived, so a registry that archives nothing has no rows.

use longshore_store::meta::{Columns, Error, Result, Tx, Value};
use longshore_types::{digest::Digest, id::Incarnation, time::Timestamp};

use super::{ROWS_PER_STATEMENT, args, placeholders, repository_copy::change};
use crate::member::words;

/// Where an image stands between the storage classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It can be pulled.
    Active,
    /// It is kept, and absent to pulls.
    Archived,
    /// It is being restored, and absent to pulls until all its bytes are back.
    Activating,
}

impl Status {
    /// The number it is kept as.
    pub(crate) const fn code(self) -> i64 {
        match self {
            Self::Active => 0,
            Self::Archived => 1,
            Self::Activating => 2,
        }
    }

    /// Reads the number it is kept as; without a row an image is active.
    pub(crate) fn of(code: Option<i64>) -> Result<Self> {
        match code {
            None | Some(0) => Ok(Self::Active),
            Some(1) => Ok(Self::Archived),
            Some(2) => Ok(Self::Activating),
            Some(_) => Err(Error::corrupt("image_storage.status")),
        }
    }

    /// The word that the API has for it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Archived => "ARCHIVED",
            Self::Activating => "ACTIVATING",
        }
    }
}

/// How one image is stored, and since when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    pub(crate) status: Status,
    /// When it was last archived.
    pub(crate) archived_at: Option<Timestamp>,
    /// When its last restoration ended.
    pub(crate) activated_at: Option<Timestamp>,
}

impl Stored {
    /// Reads it from three columns of a row `s` that may be absent: status, `archived_at`, `activated_at`.
    pub(crate) fn read(columns: &dyn Columns, first: usize) -> Result<Self> {
        let time = |idx| Ok::<_, Error>(columns.opt_int(idx)?.map(Timestamp::from_millis));
        Ok(Self {
            status: Status::of(columns.opt_int(first)?)?,
            archived_at: time(first + 1)?,
            activated_at: time(first + 2)?,
        })
    }
}

words! {
    /// Which images or artifacts a list holds, by how they are stored.
    pub(crate) StatusFilter {
        Active = "ACTIVE",
        Archived = "ARCHIVED",
        Activating = "ACTIVATING",
        Any = "ANY",
    }
}

impl StatusFilter {
    /// Whether it takes an image of this status.
    pub(crate) fn takes(self, status: Status) -> bool {
        match self {
            Self::Any => true,
            Self::Active => status == Status::Active,
            Self::Archived => status == Status::Archived,
            Self::Activating => status == Status::Activating,
        }
    }

    /// Where the images of the repository `?1` that it takes are read from: those that are not active, from the index of
    /// their status.
    pub(crate) fn images(self) -> Images {
        let all = "image i LEFT JOIN image_storage s ON s.incarnation = i.incarnation AND s.image = i.digest";
        let some =
            "image_storage s JOIN image i ON i.incarnation = s.incarnation AND i.digest = s.image";
        let (from, only, key) = match self {
            Self::Any => (all, "i.incarnation = ?1", "i.digest"),
            Self::Active => (
                all,
                "i.incarnation = ?1 AND COALESCE(s.status, 0) = 0",
                "i.digest",
            ),
            Self::Archived => (some, "s.incarnation = ?1 AND s.status = 1", "s.image"),
            Self::Activating => (some, "s.incarnation = ?1 AND s.status = 2", "s.image"),
        };
        Images { from, only, key }
    }

    /// The condition that an image whose columns are `incarnation` and `image` is one that it takes.
    pub(crate) fn condition(self, incarnation: &str, image: &str) -> String {
        let exists = |which: &str, status: &str| {
            format!(
                "AND {which} (SELECT 1 FROM image_storage s WHERE s.incarnation = {incarnation} AND s.image = {image} AND s.status {status})"
            )
        };
        match self {
            Self::Any => String::new(),
            Self::Active => exists("NOT EXISTS", "> 0"),
            Self::Archived => exists("EXISTS", "= 1"),
            Self::Activating => exists("EXISTS", "= 2"),
        }
    }
}

/// Parts of a statement over images `i`, beside their rows `s` here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Images {
    pub(crate) from: &'static str,
    /// The condition that they are those asked for.
    pub(crate) only: &'static str,
    /// The column by which they are in order.
    pub(crate) key: &'static str,
}

/// Returns the image that is `rows` images after `after` among those that a list by `filter` looks at, if there are so many.
pub(crate) fn nth_after(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    filter: StatusFilter,
    after: &[u8],
    rows: i64,
) -> Result<Option<Digest>> {
    let sql = match filter {
        StatusFilter::Any | StatusFilter::Active => {
            "SELECT digest FROM image WHERE incarnation = ?1 AND digest > ?2 ORDER BY digest LIMIT 1 OFFSET ?3"
        }
        StatusFilter::Archived => {
            "SELECT image FROM image_storage WHERE incarnation = ?1 AND status = 1 AND image > ?2 ORDER BY image LIMIT 1 OFFSET ?3"
        }
        StatusFilter::Activating => {
            "SELECT image FROM image_storage WHERE incarnation = ?1 AND status = 2 AND image > ?2 ORDER BY image LIMIT 1 OFFSET ?3"
        }
    };
    tx.row(sql, args![incarnation.as_bytes(), after, rows - 1])
}

/// Returns whether the repository has images that are not active.
pub(crate) fn any(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<bool> {
    let sql = "SELECT CASE WHEN EXISTS (SELECT 1 FROM image_storage WHERE incarnation = ?1 AND status > 0) THEN 1 ELSE 0 END";
    Ok(tx.count(sql, args![incarnation.as_bytes()])? == 1)
}

/// Returns the status of an image. Ask in a later statement than the one that holds the image.
pub(crate) fn status(tx: &mut dyn Tx, incarnation: Incarnation, image: &Digest) -> Result<Status> {
    let sql = "SELECT status FROM image_storage WHERE incarnation = ?1 AND image = ?2";
    Status::of(tx.row(sql, args![incarnation.as_bytes(), &image.to_key()])?)
}

/// Returns those of `images` that are not active, with any digest of theirs that was asked for.
pub(crate) fn not_active(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    images: &[Digest],
) -> Result<Vec<Digest>> {
    let mut found = Vec::new();
    for chunk in images.chunks(ROWS_PER_STATEMENT) {
        let keys: Vec<Vec<u8>> = chunk.iter().map(Digest::to_key).collect();
        let mut args = vec![Value::from(incarnation.as_bytes())];
        args.extend(keys.iter().map(Value::from));
        let list = placeholders(1, keys.len());
        let sql = format!(
            "SELECT image FROM image_storage WHERE incarnation = ?1 AND status > 0 AND image IN ({list}) \
             UNION ALL SELECT x.digest FROM image_alias x JOIN image_storage s ON s.incarnation = x.incarnation AND s.image = x.image \
             WHERE x.incarnation = ?1 AND x.digest IN ({list}) AND s.status > 0"
        );
        found.extend(tx.rows::<Digest>(&sql, &args)?);
    }
    Ok(found)
}

/// Returns whether an index that is not archived names the image, by any digest of it.
pub(crate) fn is_child(tx: &mut dyn Tx, incarnation: Incarnation, image: &Digest) -> Result<bool> {
    let found = tx.count(
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM image_child c WHERE c.incarnation = ?1 AND c.child IN \
         (SELECT digest FROM image WHERE incarnation = ?1 AND digest = ?2 \
         UNION ALL SELECT digest FROM image_alias WHERE incarnation = ?1 AND image = ?2) \
         AND NOT EXISTS (SELECT 1 FROM image_storage s WHERE s.incarnation = c.incarnation AND s.image = c.image AND s.status = 1)) \
         THEN 1 ELSE 0 END",
        args![incarnation.as_bytes(), &image.to_key()],
    )?;
    Ok(found == 1)
}

/// Makes an image archived as of now.
pub(crate) fn archive(tx: &mut dyn Tx, incarnation: Incarnation, image: &Digest) -> Result<()> {
    let now = tx.now();
    tx.execute(
        "INSERT INTO image_storage (incarnation, image, status, archived_at, activated_at, due) VALUES (?1, ?2, 1, ?3, NULL, ?3) \
         ON CONFLICT (incarnation, image) DO UPDATE SET status = 1, archived_at = excluded.archived_at, due = excluded.due",
        args![incarnation.as_bytes(), &image.to_key(), now],
    )?;
    layers(tx, incarnation, image, Status::Archived)
}

/// Makes an archived image activating, to be looked at now.
pub(crate) fn restore(tx: &mut dyn Tx, incarnation: Incarnation, image: &Digest) -> Result<()> {
    let now = tx.now();
    tx.execute(
        "UPDATE image_storage SET status = 2, due = ?3 WHERE incarnation = ?1 AND image = ?2",
        args![incarnation.as_bytes(), &image.to_key(), now],
    )?;
    layers(tx, incarnation, image, Status::Activating)
}

/// Makes an image active as of now.
pub(crate) fn activate(tx: &mut dyn Tx, incarnation: Incarnation, image: &Digest) -> Result<()> {
    let now = tx.now();
    tx.execute(
        "UPDATE image_storage SET status = 0, activated_at = ?3 WHERE incarnation = ?1 AND image = ?2",
        args![incarnation.as_bytes(), &image.to_key(), now],
    )?;
    layers(tx, incarnation, image, Status::Active)
}

fn layers(tx: &mut dyn Tx, incarnation: Incarnation, image: &Digest, status: Status) -> Result<()> {
    let sql = "UPDATE image_layer SET status = ?3 WHERE incarnation = ?1 AND image = ?2";
    let key = image.to_key();
    tx.execute(sql, args![incarnation.as_bytes(), &key, status.code()])?;
    change::note(tx, incarnation, &[*image], [])
}

/// Looks at an activating image again at `due`.
pub(crate) fn postpone(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &Digest,
    due: Timestamp,
) -> Result<()> {
    let sql = "UPDATE image_storage SET due = ?3 WHERE incarnation = ?1 AND image = ?2";
    tx.execute(sql, args![incarnation.as_bytes(), &image.to_key(), due])
        .map(drop)
}

/// Whether bytes of an image still lie in the archive. Damaged ones never come back by themselves.
pub(crate) fn waits_for_bytes(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &Digest,
) -> Result<bool> {
    let found = tx.count(
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM image_layer x \
         JOIN link l ON l.incarnation = x.incarnation AND l.digest = x.layer \
         JOIN blob b ON b.domain = l.domain AND b.digest = l.digest \
         WHERE x.incarnation = ?1 AND x.image = ?2 AND b.archived = 1 AND b.damaged = 0) THEN 1 ELSE 0 END",
        args![incarnation.as_bytes(), &image.to_key()],
    )?;
    Ok(found == 1)
}

/// Returns up to `limit` activating images that are to be looked at now, those that have waited longest first.
pub(crate) fn activating(tx: &mut dyn Tx, limit: i64) -> Result<Vec<(Incarnation, Digest)>> {
    let now = tx.now();
    let sql = "SELECT incarnation, image FROM image_storage WHERE status = 2 AND due <= ?1 ORDER BY due LIMIT ?2";
    let rows: Vec<(Vec<u8>, Digest)> = tx.rows(sql, args![now, limit])?;
    let parse = |(incarnation, image): (Vec<u8>, Digest)| {
        let incarnation = Incarnation::from_slice(&incarnation);
        let incarnation = incarnation.map_err(|_| Error::corrupt("image_storage.incarnation"))?;
        Ok((incarnation, image))
    };
    rows.into_iter().map(parse).collect()
}

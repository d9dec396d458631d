//! Lists of images, with what is told about them.

use longshore_store::meta::{Columns, Error, Result, Row, Tx, Value};
use longshore_types::{digest::Digest, id::Incarnation, time::Timestamp};

use super::digest;
use crate::{
    member::words,
    table::{
        ROWS_PER_STATEMENT, args,
        image_storage::{self, Images, StatusFilter},
        placeholders,
    },
};

/// What `DescribeImages` tells, but for the tags.
#[derive(Clone, Debug)]
pub(crate) struct Detail {
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) artifact_media_type: Option<String>,
    pub(crate) size: i64,
    pub(crate) pushed_at: Timestamp,
    pub(crate) subject: Option<Digest>,
    /// When it was last pulled, as far as that was written.
    pub(crate) pulled_at: Option<Timestamp>,
    pub(crate) storage: image_storage::Stored,
}

const DETAIL: &str = "i.digest, i.media_type, i.artifact_media_type, i.size, i.pushed_at, i.subject, p.pulled_at, \
     s.status, s.archived_at, s.activated_at";
const PULL: &str =
    "LEFT JOIN image_pull p ON p.incarnation = i.incarnation AND p.digest = i.digest";

impl Row for Detail {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let subject = columns.opt_blob(5)?.map(Digest::from_key).transpose();
        Ok(Self {
            digest: digest(columns, 0)?,
            media_type: columns.text(1)?.to_owned(),
            artifact_media_type: columns.opt_text(2)?.map(str::to_owned),
            size: columns.int(3)?,
            pushed_at: Timestamp::from_millis(columns.int(4)?),
            subject: subject.map_err(|_| Error::corrupt("image.subject"))?,
            pulled_at: columns.opt_int(6)?.map(Timestamp::from_millis),
            storage: image_storage::Stored::read(columns, 7)?,
        })
    }
}

words! {
    /// Which images a list holds, by whether they have a tag.
    pub(crate) TagStatus {
        Tagged = "TAGGED",
        Untagged = "UNTAGGED",
        Any = "ANY",
    }
}

impl TagStatus {
    /// Whether it takes an image with or without tags.
    pub(crate) fn takes(self, is_tagged: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Tagged => is_tagged,
            Self::Untagged => !is_tagged,
        }
    }

    fn condition(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Tagged => {
                "AND EXISTS (SELECT 1 FROM tag t WHERE t.incarnation = i.incarnation AND t.image = i.digest)"
            }
            Self::Untagged => {
                "AND NOT EXISTS (SELECT 1 FROM tag t WHERE t.incarnation = i.incarnation AND t.image = i.digest)"
            }
        }
    }
}

/// Returns up to `limit` images of a tag and an image status in order of digest, after `after` and up to `until`.
pub(crate) fn page(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    (after, until): (&[u8], &[u8]),
    (tags, images): (TagStatus, StatusFilter),
    limit: i64,
) -> Result<Vec<Detail>> {
    let (Images { from, only, key }, tags) = (images.images(), tags.condition());
    let sql = format!(
        "SELECT {DETAIL} FROM {from} {PULL} WHERE {only} AND {key} > ?2 AND {key} <= ?3 {tags} ORDER BY {key} LIMIT ?4"
    );
    tx.rows(&sql, args![incarnation.as_bytes(), after, until, limit])
}

/// Returns the details of `images`, in order of digest.
pub(crate) fn details(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    images: &[Digest],
) -> Result<Vec<Detail>> {
    let Images { from, only, key } = StatusFilter::Any.images();
    let mut found = Vec::with_capacity(images.len());
    for chunk in images.chunks(ROWS_PER_STATEMENT) {
        let keys: Vec<Vec<u8>> = chunk.iter().map(Digest::to_key).collect();
        let mut args = vec![Value::from(incarnation.as_bytes())];
        args.extend(keys.iter().map(Value::from));
        let sql = format!(
            "SELECT {DETAIL} FROM {from} {PULL} WHERE {only} AND {key} IN ({}) ORDER BY {key}",
            placeholders(1, keys.len())
        );
        found.extend(tx.rows::<Detail>(&sql, &args)?);
    }
    Ok(found)
}

/// Returns up to `limit` pairs of image and tag in that order, after `after` and up to the image `until`; an untagged image
/// has one pair without a tag.
pub(crate) fn page_with_tags(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    (after, until): ((&[u8], &str), &[u8]),
    images: StatusFilter,
    limit: i64,
) -> Result<Vec<(Digest, Option<String>)>> {
    let Images { from, only, key } = images.images();
    let sql = format!(
        "SELECT i.digest, t.name FROM {from} LEFT JOIN tag t ON t.incarnation = i.incarnation AND t.image = i.digest \
         WHERE {only} AND {key} >= ?2 AND {key} <= ?3 AND ({key} > ?2 OR t.name > ?4) ORDER BY {key}, t.name LIMIT ?5"
    );
    let args = args![incarnation.as_bytes(), after.0, until, after.1, limit];
    tx.rows(&sql, args)
}

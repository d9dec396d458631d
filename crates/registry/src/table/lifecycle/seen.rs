//! The images of a repository as an evaluation sees them.

use std::collections::HashMap;

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{digest::Digest, id::Incarnation, time::Timestamp};

use crate::table::{args, image_storage::StatusFilter, tag};

/// How many tags are read at a time, unless one image has more.
const TAGS: usize = 5000;

/// Above every key of a digest.
pub(crate) const END: &[u8] = &[0xff];

/// An image, and how it stands to its subject.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) digest: Digest,
    pub(crate) pushed_at: Timestamp,
    /// Whether it refers to a subject that is here.
    pub(crate) has_subject: bool,
    /// Whether it refers to a subject that was deleted after it was pushed.
    pub(crate) subject_gone: bool,
}

impl Row for Seen {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            digest: Digest::from_key(columns.blob(0)?)
                .map_err(|_| Error::corrupt("image.digest"))?,
            pushed_at: Timestamp::from_millis(columns.int(1)?),
            has_subject: columns.int(2)? != 0,
            subject_gone: columns.int(3)? != 0,
        })
    }
}

/// What [`Seen`] is read from, of an image `i`.
const COLUMNS: &str = "i.digest, i.pushed_at, \
     CASE WHEN i.subject IS NOT NULL AND (EXISTS (SELECT 1 FROM image s WHERE s.incarnation = i.incarnation AND s.digest = i.subject) \
     OR EXISTS (SELECT 1 FROM image_alias a WHERE a.incarnation = i.incarnation AND a.digest = i.subject)) THEN 1 ELSE 0 END, \
     CASE WHEN i.subject IS NOT NULL AND EXISTS (SELECT 1 FROM subject_gone g WHERE g.incarnation = i.incarnation \
     AND g.subject = i.subject AND g.gone_at >= i.pushed_at) THEN 1 ELSE 0 END";

/// Returns up to `limit` active images, newest first, that are older than the last image seen, by time and digest.
pub(crate) fn page(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    (at, image): (i64, &[u8]),
    limit: i64,
) -> Result<Vec<Seen>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM image i WHERE i.incarnation = ?1 AND i.pushed_at <= ?2 AND (i.pushed_at < ?2 OR i.digest < ?3) {} \
         ORDER BY i.pushed_at DESC, i.digest DESC LIMIT ?4",
        StatusFilter::Active.condition("i.incarnation", "i.digest")
    );
    tx.rows(&sql, args![incarnation.as_bytes(), at, image, limit])
}

/// Returns one image if it is active.
pub(crate) fn one(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &Digest,
) -> Result<Option<Seen>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM image i WHERE i.incarnation = ?1 AND i.digest = ?2 {}",
        StatusFilter::Active.condition("i.incarnation", "i.digest")
    );
    tx.row(&sql, args![incarnation.as_bytes(), &image.to_key()])
}

/// Returns the tags of the first of `images`, and how many images those are: all, unless they have too many tags.
pub(crate) fn tags(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    images: &[Digest],
) -> Result<(usize, HashMap<Digest, Vec<String>>)> {
    let mut n_images = images.len();
    loop {
        let images = images.get(..n_images).unwrap_or(images);
        let limit = if n_images <= 1 { usize::MAX } else { TAGS + 1 };
        let found = tag::of_images(tx, incarnation, images, limit)?;
        if found.len() <= TAGS || n_images <= 1 {
            let mut tags: HashMap<Digest, Vec<String>> = HashMap::new();
            for (image, name) in found {
                tags.entry(image).or_default().push(name);
            }
            return Ok((n_images, tags));
        }
        n_images = (n_images / 4).max(1);
    }
}

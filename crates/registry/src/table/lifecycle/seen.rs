//! The images of a repository as an evaluation sees them.

use std::{cmp::Reverse, collections::HashMap};

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{
    digest::Digest,
    id::Incarnation,
    lifecycle::{Class, Facts},
    time::Timestamp,
};

use crate::table::{
    args,
    image_storage::{Status, Stored},
    tag,
};

/// How many tags are read at a time, unless one image has more.
const TAGS: usize = 5000;

/// Above every key of a digest.
pub(crate) const END: &[u8] = &[0xff];

/// How an image stands to the subject that it refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// It refers to none, or to one that never was here.
    None,
    /// It is here.
    Here,
    /// It is here, and archived.
    Archived,
    /// It was deleted after the image was pushed.
    Gone,
}

/// How an image is stored, and what happened to it when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stands {
    pub(crate) pushed_at: Timestamp,
    pub(crate) pulled_at: Option<Timestamp>,
    pub(crate) status: Status,
    pub(crate) archived_at: Option<Timestamp>,
    pub(crate) activated_at: Option<Timestamp>,
}

/// An image as a policy sees it, but for its tags.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) digest: Digest,
    pub(crate) stands: Stands,
    pub(crate) subject: Subject,
}

impl Seen {
    /// When it was last pushed or restored: the order of images (`behaviour.md` section 12.2).
    pub(crate) fn newest(&self) -> Timestamp {
        let Stands {
            pushed_at,
            activated_at,
            ..
        } = self.stands;
        activated_at.map_or(pushed_at, |at| at.max(pushed_at))
    }

    /// What a policy needs to know of it. None may touch an image on its way back from the archive.
    pub(crate) fn facts<'a>(&self, tags: &'a [String]) -> Option<Facts<'a, String>> {
        let newest = self.newest();
        Some(Facts {
            class: match self.stands.status {
                Status::Active => Class::Standard,
                Status::Archived => Class::Archive,
                Status::Activating => return None,
            },
            pushed_at: newest,
            used_at: self.stands.pulled_at.map_or(newest, |at| at.max(newest)),
            archived_at: self.stands.archived_at,
            tags,
        })
    }

    /// Whether it refers to a subject that is here.
    pub(crate) fn has_subject(&self) -> bool {
        matches!(self.subject, Subject::Here | Subject::Archived)
    }
}

impl Row for Seen {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let stored = Stored::read(columns, 4)?;
        Ok(Self {
            digest: Digest::from_key(columns.blob(0)?)
                .map_err(|_| Error::corrupt("image.digest"))?,
            stands: Stands {
                pushed_at: Timestamp::from_millis(columns.int(1)?),
                pulled_at: columns.opt_int(3)?.map(Timestamp::from_millis),
                status: stored.status,
                archived_at: stored.archived_at,
                activated_at: stored.activated_at,
            },
            subject: match columns.int(2)? {
                1 => Subject::Here,
                2 => Subject::Archived,
                3 => Subject::Gone,
                _ => Subject::None,
            },
        })
    }
}

/// What [`Seen`] is read from, of an image `i`, its last pull `p` and its storage `s`.
const COLUMNS: &str = "i.digest, i.pushed_at, CASE WHEN i.subject IS NULL THEN 0 \
     WHEN EXISTS (SELECT 1 FROM image x LEFT JOIN image_storage y ON y.incarnation = x.incarnation AND y.image = x.digest \
     WHERE x.incarnation = i.incarnation AND x.digest = i.subject AND COALESCE(y.status, 0) <> 1) \
     OR EXISTS (SELECT 1 FROM image_alias a LEFT JOIN image_storage y ON y.incarnation = a.incarnation AND y.image = a.image \
     WHERE a.incarnation = i.incarnation AND a.digest = i.subject AND COALESCE(y.status, 0) <> 1) THEN 1 \
     WHEN EXISTS (SELECT 1 FROM image x WHERE x.incarnation = i.incarnation AND x.digest = i.subject) \
     OR EXISTS (SELECT 1 FROM image_alias a WHERE a.incarnation = i.incarnation AND a.digest = i.subject) THEN 2 \
     WHEN EXISTS (SELECT 1 FROM subject_gone g WHERE g.incarnation = i.incarnation \
     AND g.subject = i.subject AND g.gone_at >= i.pushed_at) THEN 3 ELSE 0 END, \
     p.pulled_at, s.status, s.archived_at, s.activated_at";

const PULLED: &str =
    "LEFT JOIN image_pull p ON p.incarnation = i.incarnation AND p.digest = i.digest";

/// Images that were not restored since they were pushed, after a place in the order of pushes.
const BY_PUSH: &str = "FROM image i LEFT JOIN image_storage s ON s.incarnation = i.incarnation AND s.image = i.digest PULLED \
     WHERE i.incarnation = ?1 AND i.pushed_at <= ?2 AND (i.pushed_at < ?2 OR i.digest < ?3) \
     AND COALESCE(s.activated_at, 0) <= i.pushed_at ORDER BY i.pushed_at DESC, i.digest DESC LIMIT ?4";

/// Images that were restored since they were pushed, after a place in the order of restorations.
const BY_RESTORATION: &str = "FROM image_storage s JOIN image i ON i.incarnation = s.incarnation AND i.digest = s.image PULLED \
     WHERE s.incarnation = ?1 AND s.activated_at IS NOT NULL AND s.activated_at <= ?2 AND (s.activated_at < ?2 OR s.image < ?3) \
     AND s.activated_at > i.pushed_at ORDER BY s.activated_at DESC, s.image DESC LIMIT ?4";

fn statement(from: &str) -> String {
    format!("SELECT {COLUMNS} {}", from.replace("PULLED", PULLED))
}

/// Returns up to `limit` images, newest first, that are older than the last image seen, by time and digest.
pub(crate) fn page(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    (at, image): (i64, &[u8]),
    limit: usize,
) -> Result<Vec<Seen>> {
    let rows = i64::try_from(limit).map_err(|_| Error::corrupt("limit"))?;
    let args = args![incarnation.as_bytes(), at, image, rows];
    let mut found: Vec<Seen> = tx.rows(&statement(BY_PUSH), args)?;
    found.extend(tx.rows::<Seen>(&statement(BY_RESTORATION), args)?);
    found.sort_by_cached_key(|seen| Reverse((seen.newest(), seen.digest.to_key())));
    found.truncate(limit);
    Ok(found)
}

/// Returns one image.
pub(crate) fn one(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &Digest,
) -> Result<Option<Seen>> {
    let sql = statement(
        "FROM image i LEFT JOIN image_storage s ON s.incarnation = i.incarnation AND s.image = i.digest PULLED \
         WHERE i.incarnation = ?1 AND i.digest = ?2",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::plan::plan;

    #[tokio::test]
    async fn pages_are_read_in_the_order_of_an_index() {
        for (from, index) in [
            (BY_PUSH, "image_pushed (incarnation=? AND pushed_at<?)"),
            (
                BY_RESTORATION,
                "image_storage_activated (incarnation=? AND activated_at>? AND activated_at<?)",
            ),
        ] {
            let plan = plan(&statement(from), 4).await;
            assert!(plan.contains(index), "{plan}");
            assert!(
                !plan.contains("SCAN") && !plan.contains("TEMP B-TREE"),
                "{plan}"
            );
        }
    }
}

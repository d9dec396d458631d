//! What a repository has, in a form in which source and target of a copy can be compared.

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{digest::Digest, id::Incarnation};

use crate::table::args;

/// After every digest, as it is stored.
pub(crate) const LAST_IMAGE: [u8; 65] = [0xff; 65];
/// After every tag: they have no such character.
pub(crate) const LAST_TAG: &str = "\u{7f}";

/// All that is told of an image but its tags and manifest; of lists, how many there are, for each is copied in whole or not at all.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) digest: Digest,
    texts: [Option<String>; 4],
    subject: Option<Vec<u8>>,
    numbers: [i64; 7],
}

impl Row for Image {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let text = |idx| Ok::<_, Error>(columns.opt_text(idx)?.map(str::to_owned));
        Ok(Self {
            digest: Digest::from_key(columns.blob(0)?)
                .map_err(|_| Error::corrupt("image.digest"))?,
            texts: [text(1)?, text(2)?, text(3)?, text(4)?],
            subject: columns.opt_blob(5)?.map(<[u8]>::to_vec),
            numbers: [
                columns.int(6)?,
                columns.int(7)?,
                columns.int(8)?,
                columns.int(9)?,
                columns.int(10)?,
                columns.int(11)?,
                columns.int(12)?,
            ],
        })
    }
}

/// Returns up to `limit` images in order of digest, after `after` and up to `until`.
pub(crate) fn images(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    (after, until): (&[u8], &[u8]),
    limit: i64,
) -> Result<Vec<Image>> {
    tx.rows(
        "SELECT i.digest, i.media_type, i.artifact_type, i.artifact_media_type, i.annotations, i.subject, i.manifest_bytes, i.size, \
         i.pushed_at, \
         (SELECT COUNT(*) FROM image_layer x WHERE x.incarnation = i.incarnation AND x.image = i.digest), \
         (SELECT COUNT(*) FROM image_absent_layer x WHERE x.incarnation = i.incarnation AND x.image = i.digest), \
         (SELECT COUNT(*) FROM image_child x WHERE x.incarnation = i.incarnation AND x.image = i.digest), \
         (SELECT COUNT(*) FROM image_alias x WHERE x.incarnation = i.incarnation AND x.image = i.digest) \
         FROM image i WHERE i.incarnation = ?1 AND i.digest > ?2 AND i.digest <= ?3 ORDER BY i.digest LIMIT ?4",
        args![incarnation.as_bytes(), after, until, limit],
    )
}

/// A tag, the image that it names, and the digest that it was pushed with.
pub(crate) type Tag = (String, Vec<u8>, Option<Vec<u8>>);

/// Returns up to `limit` tags in order of name, after `after` and up to `until`.
pub(crate) fn tags(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    (after, until): (&str, &str),
    limit: i64,
) -> Result<Vec<Tag>> {
    tx.rows(
        "SELECT name, image, pushed_as FROM tag WHERE incarnation = ?1 AND name > ?2 AND name <= ?3 ORDER BY name LIMIT ?4",
        args![incarnation.as_bytes(), after, until, limit],
    )
}

//! Which images need a blob whose bytes are lost.

use longshore_store::meta::{Columns, Result, Row, Tx};
use longshore_types::{
    digest::Digest,
    id::{ContentId, DomainId, Incarnation},
};

use super::{args, doomed};
use crate::operator::lost::NeededBy;

/// How many images, and how many tags of one, are named.
const MOST: i64 = 20;

struct Found {
    incarnation: Incarnation,
    image: Digest,
    needed: NeededBy,
}

impl Row for Found {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let corrupt = || longshore_store::meta::Error::corrupt("image_layer");
        let image = Digest::from_key(columns.blob(5)?).map_err(|_| corrupt())?;
        Ok(Self {
            incarnation: Incarnation::from_slice(columns.blob(4)?).map_err(|_| corrupt())?,
            needed: NeededBy {
                kind: columns.text(0)?.to_owned(),
                account: columns.text(1)?.to_owned(),
                region: columns.text(2)?.to_owned(),
                repository: columns.text(3)?.to_owned(),
                digest: image.to_string(),
                tags: Vec::new(),
                expired: columns.int(6)? != 0,
            },
            image,
        })
    }
}

/// Returns up to 20 images that need a blob, and up to 20 that have expired.
pub(crate) fn users(tx: &mut dyn Tx, domain: DomainId, blob: &Digest) -> Result<Vec<NeededBy>> {
    let mut all = Vec::new();
    for (table, expired) in [("image_layer", 0), ("expired_layer", 1)] {
        let sql = format!(
            "SELECT r.kind, r.account, r.region, r.name, x.incarnation, x.image, {expired} FROM link l \
             JOIN repository r ON r.incarnation = l.incarnation AND r.died_at IS NULL \
             JOIN {table} x ON x.incarnation = l.incarnation AND x.layer = l.digest \
             WHERE l.domain = ?1 AND l.digest = ?2 ORDER BY r.name, x.image LIMIT ?3"
        );
        let found: Vec<Found> = tx.rows(&sql, args![domain.as_bytes(), &blob.to_key(), MOST])?;
        for mut found in found {
            found.needed.tags = tx.rows(
                "SELECT t.name FROM tag t WHERE t.incarnation = ?1 AND (t.image = ?2 OR t.image IN \
                 (SELECT c.image FROM image_child c WHERE c.incarnation = ?1 AND c.child = ?2)) ORDER BY t.name LIMIT ?3",
                args![found.incarnation.as_bytes(), &found.image.to_key(), MOST],
            )?;
            all.push(found.needed);
        }
    }
    Ok(all)
}

/// Ends an upload, or a move between stores, of which bytes are lost: it must not become a blob.
pub(crate) fn forget(tx: &mut dyn Tx, content: ContentId) -> crate::Result<()> {
    let uploads = tx.execute(
        "DELETE FROM upload WHERE id = ?1",
        args![content.as_bytes()],
    )?;
    let moves = tx.execute(
        "UPDATE relocation SET source = NULL, target = NULL, store = NULL, copied = 0, hash = NULL WHERE target = ?1",
        args![content.as_bytes()],
    )?;
    if uploads + moves > 0 {
        let now = tx.now();
        doomed::content(tx, content.as_bytes(), now)?;
    }
    Ok(())
}

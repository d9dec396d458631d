//! Subjects that are gone, whose referrers follow them.

use longshore_store::meta::{Result, Tx};
use longshore_types::{digest::Digest, id::Incarnation};

use crate::table::args;

/// Notes, before an image is removed, that its referrers are to follow: if it has any, and the repository a policy.
pub(crate) fn goes(tx: &mut dyn Tx, incarnation: Incarnation, image: &Digest) -> Result<()> {
    let now = tx.now();
    tx.execute(
        "INSERT INTO subject_gone (incarnation, subject, gone_at) \
         SELECT p.incarnation, d.digest, CAST(?3 AS BIGINT) FROM lifecycle_policy p JOIN \
         (SELECT digest FROM image WHERE incarnation = ?1 AND digest = ?2 \
         UNION SELECT digest FROM image_alias WHERE incarnation = ?1 AND image = ?2) d ON EXISTS \
         (SELECT 1 FROM image i WHERE i.incarnation = ?1 AND i.subject = d.digest) \
         WHERE p.incarnation = ?1 ON CONFLICT (incarnation, subject) DO UPDATE SET gone_at = excluded.gone_at",
        args![incarnation.as_bytes(), &image.to_key(), now],
    )
    .map(drop)
}

/// Forgets up to `limit` subjects that have come back or have no referrers left.
pub(crate) fn forget(tx: &mut dyn Tx, incarnation: Incarnation, limit: i64) -> Result<()> {
    tx.execute(
        "DELETE FROM subject_gone WHERE incarnation = ?1 AND subject IN (SELECT g.subject FROM subject_gone g \
         WHERE g.incarnation = ?1 AND (NOT EXISTS (SELECT 1 FROM image i WHERE i.incarnation = ?1 AND i.subject = g.subject) \
         OR EXISTS (SELECT 1 FROM image s WHERE s.incarnation = ?1 AND s.digest = g.subject) \
         OR EXISTS (SELECT 1 FROM image_alias a WHERE a.incarnation = ?1 AND a.digest = g.subject)) LIMIT ?2)",
        args![incarnation.as_bytes(), limit],
    )
    .map(drop)
}

/// Forgets up to `limit` subjects of a dead repository; returns how many.
pub(crate) fn clear(tx: &mut dyn Tx, incarnation: Incarnation, limit: i64) -> Result<u64> {
    tx.execute(
        "DELETE FROM subject_gone WHERE incarnation = ?1 AND subject IN \
         (SELECT subject FROM subject_gone WHERE incarnation = ?1 ORDER BY subject LIMIT ?2)",
        args![incarnation.as_bytes(), limit],
    )
}

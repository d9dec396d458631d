//! When images were last pulled. It decides nothing about access, so it raises no version. Its rows go with their images.

use longshore_store::meta::{Result, Tx};
use longshore_types::{digest::Digest, id::Incarnation, time::Timestamp};

use super::{args, repository_copy::change};

const PUT: &str = "INSERT INTO image_pull (incarnation, digest, pulled_at) \
     SELECT incarnation, digest, ?3 FROM image WHERE incarnation = ?1 AND digest = ?2 \
     ON CONFLICT (incarnation, digest) DO UPDATE SET pulled_at = excluded.pulled_at WHERE image_pull.pulled_at < excluded.pulled_at";

/// Writes when an image was pulled, unless a later pull is there: replicas write in any order. An image that is gone is
/// passed over.
pub(crate) fn put(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    image: &Digest,
    pulled_at: Timestamp,
) -> Result<()> {
    tx.execute(
        PUT,
        args![incarnation.as_bytes(), &image.to_key(), pulled_at],
    )?;
    change::note(tx, incarnation, &[*image], [])
}

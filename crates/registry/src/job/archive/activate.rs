//! Ends the restoration of images: one whose bytes are back becomes active.

use std::time::Duration;

use longshore_store::meta::{Durability, Tx};
use longshore_types::{digest::Digest, id::Incarnation};

use crate::{
    core::Core,
    error::{Error, Result},
    job::Swept,
    table::{
        image,
        image_storage::{self, Status},
    },
};

const PER_TICK: i64 = 20;
/// How long an image waits for its next look while bytes of it are missing.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Looks at up to 20 images that are being restored.
pub(super) async fn tick(core: &Core) -> Result<Swept> {
    let activating = core
        .meta
        .read(|tx| Ok::<_, Error>(image_storage::activating(tx, PER_TICK)?))
        .await?;
    let done = activating.len();
    for (incarnation, digest) in activating {
        core.meta
            .write(Durability::Durable, move |tx| {
                look(tx, incarnation, &digest)
            })
            .await?;
    }
    let more = i64::try_from(done) == Ok(PER_TICK);
    Ok(Swept { done, more })
}

fn look(tx: &mut dyn Tx, incarnation: Incarnation, digest: &Digest) -> Result<()> {
    // The image's lock comes before anything is read of it.
    if image::resolve(tx, incarnation, digest)?.is_none()
        || image_storage::status(tx, incarnation, digest)? != Status::Activating
    {
        return Ok(());
    }
    if image_storage::waits_for_bytes(tx, incarnation, digest)? {
        let due = tx.now().plus(LOOK_AGAIN);
        return Ok(image_storage::postpone(tx, incarnation, digest, due)?);
    }
    Ok(image_storage::activate(tx, incarnation, digest)?)
}

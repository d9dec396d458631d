//! Ends the restoration of images: one whose bytes are back becomes active.

use longshore_store::meta::Durability;

use super::Swept;
use crate::{
    core::Core,
    error::{Error, Result},
    table::{
        image,
        image_storage::{self, Status},
    },
};

const PER_TICK: i64 = 20;

/// Looks at up to 20 images that are being restored.
pub async fn tick(core: &Core) -> Result<Swept> {
    let activating = core
        .meta
        .read(|tx| Ok::<_, Error>(image_storage::activating(tx, PER_TICK)?))
        .await?;
    let done = activating.len();
    for (incarnation, digest) in activating {
        let activate = move |tx: &mut dyn longshore_store::meta::Tx| {
            image::resolve(tx, incarnation, &digest)?;
            if image_storage::status(tx, incarnation, &digest)? == Status::Activating {
                image_storage::activate(tx, incarnation, &digest)?;
            }
            Ok::<_, Error>(())
        };
        core.meta.write(Durability::Durable, activate).await?;
    }
    let more = i64::try_from(done) == Ok(PER_TICK);
    Ok(Swept { done, more })
}

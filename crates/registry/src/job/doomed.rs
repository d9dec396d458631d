//! Removes the files of doomed segments: first the file, then the row.

use longshore_store::meta::Durability;

use super::Swept;
use crate::{
    core::Core,
    error::{Error, Result},
    table::doomed,
};

const PER_TICK: i64 = 100;

/// Removes up to 100 files whose time has come.
pub async fn tick(core: &Core) -> Result<Swept> {
    let due = core
        .meta
        .read(|tx| Ok::<_, Error>(doomed::due(tx, PER_TICK)?))
        .await?;
    let more = i64::try_from(due.len()) == Ok(PER_TICK);
    let done = due.len();
    for doomed in due {
        let physical = doomed.physical;
        core.blobs.delete(physical).await?;
        core.meta
            .write(Durability::Soft, move |tx| {
                Ok::<_, Error>(doomed::forget(tx, physical)?)
            })
            .await?;
    }
    Ok(Swept { done, more })
}

//! Removes the files of doomed segments: first the file, then the row.

use std::collections::HashMap;

use longshore_store::meta::Durability;
use longshore_types::{id::PhysicalId, time::Timestamp};

use super::Swept;
use crate::{
    core::Core,
    error::{Error, Result},
    table::doomed,
};

const PER_TICK: i64 = 100;
/// So many failures in a row are the store's, which takes its time to say so, and other sweepers wait.
const GIVE_UP: usize = 2;

/// Removes up to 100 files whose time has come by `now`. One that cannot be removed goes to the end of the queue.
pub async fn tick(core: &Core, now: Timestamp) -> Result<Swept> {
    let due = take(core, now).await?;
    let more = i64::try_from(due.len()) == Ok(PER_TICK);
    let done = due.len();
    let mut failed = None;
    let mut in_a_row: HashMap<u32, usize> = HashMap::new();
    for (physical, store) in due {
        if in_a_row.get(&store) == Some(&GIVE_UP) {
            continue;
        }
        if let Err(error) = core.blobs.delete(store, physical).await {
            tracing::warn!(%physical, %error, "a doomed segment could not be removed and will be tried again");
            failed = Some(error);
            *in_a_row.entry(store).or_default() += 1;
            continue;
        }
        in_a_row.remove(&store);
        core.meta
            .write(Durability::Soft, move |tx| {
                Ok::<_, Error>(doomed::forget(tx, physical)?)
            })
            .await?;
    }
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(Swept { done, more }),
    }
}

/// Takes what is due in a durable write of its own: a read could miss an admission that is about to claim a row, and a
/// power cut could bring back the rows of an upload whose files are gone.
async fn take(core: &Core, now: Timestamp) -> Result<Vec<(PhysicalId, u32)>> {
    let settling = core.blobs.settling();
    let nothing = core
        .meta
        .read(move |tx| Ok::<_, Error>(!doomed::any_due(tx, now, settling)?))
        .await?;
    if nothing {
        return Ok(Vec::new());
    }
    core.meta
        .write(Durability::Durable, move |tx| {
            Ok::<_, Error>(doomed::take_due(tx, now, PER_TICK, settling)?)
        })
        .await
}

//! Ends uploads that nobody has touched for a day, and dooms what they hold.

use longshore_store::meta::Durability;
use longshore_types::time::Timestamp;

use super::Swept;
use crate::{
    core::Core,
    error::{Error, Result},
    storage::upload as rules,
    table::{link::KEEP, upload},
};

const PER_TICK: i64 = 100;

/// Ends up to 100 uploads that are abandoned by the time `now`.
pub async fn tick(core: &Core, now: Timestamp) -> Result<Swept> {
    let abandoned = core
        .meta
        .read(move |tx| Ok::<_, Error>(upload::abandoned(tx, now.minus(KEEP), PER_TICK)?))
        .await?;
    let more = i64::try_from(abandoned.len()) == Ok(PER_TICK);
    let done = abandoned.len();
    for upload in abandoned {
        // One that has moved on since stays: `received` no longer matches.
        let end = move |tx: &mut dyn longshore_store::meta::Tx| {
            rules::discard(tx, upload.incarnation, upload.id, upload.received)
        };
        core.meta.write(Durability::Soft, end).await?;
    }
    Ok(Swept { done, more })
}

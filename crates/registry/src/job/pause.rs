//! Whether anything may be collected now. A pause is kept in the store, so that a restart, every other server and `longshore gc`
//! know of it.

use longshore_store::meta::Durability;
use longshore_types::time::Timestamp;

use crate::{
    core::Core,
    error::{Error, Result},
    table::{
        collection_pause::{self, Reason},
        link::KEEP,
    },
};

/// Returns until when nothing is collected, if that has not passed.
///
/// After a jump of the clock every promise could seem to have ended, every upload to be abandoned, every image to be old, so
/// collection waits for a full promise; so it does after a restore.
pub async fn until(core: &Core) -> Result<Option<Timestamp>> {
    let kept = core
        .meta
        .query(|tx| Ok::<_, Error>(collection_pause::until(tx)?))
        .await?;
    let seen = core.meta.clock_jumped_at().map(|jumped| jumped.plus(KEEP));
    if let Some(seen) = seen.filter(|seen| *seen > kept) {
        core.meta
            .write(Durability::Durable, move |tx| {
                Ok::<_, Error>(collection_pause::raise(tx, Reason::Clock, seen)?)
            })
            .await?;
    }
    let until = seen.map_or(kept, |seen| seen.max(kept));
    Ok((until > core.meta.now()).then_some(until))
}

//! Forgets expired images that can no longer be brought back.

use longshore_store::meta::Durability;
use longshore_types::time::Timestamp;

use super::Swept;
use crate::{
    core::Core,
    error::{Error, Result},
    table::expired,
};

const PER_TICK: i64 = 20;

/// Forgets up to 20 images whose time is over by `now`, each in a transaction of its own.
pub async fn tick(core: &Core, now: Timestamp) -> Result<Swept> {
    let over = core
        .meta
        .read(move |tx| Ok::<_, Error>(expired::over(tx, now, PER_TICK)?))
        .await?;
    let done = over.len();
    for (incarnation, digest) in over {
        core.meta
            .write(Durability::Soft, move |tx| {
                // Expired again meanwhile, it has more time.
                match expired::get(tx, incarnation, &digest)? {
                    Some(kept) if kept.kept_until <= now => {
                        Ok::<_, Error>(expired::forget(tx, incarnation, &digest)?)
                    }
                    _ => Ok(()),
                }
            })
            .await?;
    }
    let more = i64::try_from(done) == Ok(PER_TICK);
    Ok(Swept { done, more })
}

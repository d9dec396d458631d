//! Forgets leases of images that have ended.

use longshore_store::meta::Durability;

use super::Swept;
use crate::{
    core::Core,
    error::{Error, Result},
    table::lease,
};

const PER_TICK: i64 = 1000;

/// Forgets up to 1,000 leases.
pub async fn tick(core: &Core) -> Result<Swept> {
    let any = core.meta.read(|tx| Ok::<_, Error>(lease::any_ended(tx)?));
    if !any.await? {
        return Ok(Swept::default());
    }
    let forgotten = core
        .meta
        .write(Durability::Soft, |tx| {
            Ok::<_, Error>(lease::forget(tx, PER_TICK)?)
        })
        .await?;
    Ok(Swept {
        done: usize::try_from(forgotten).map_err(Error::internal)?,
        more: forgotten > 0,
    })
}

//! Forgets leases of images that have ended, when anything may be collected: a run of a policy that goes by an earlier time may
//! still ask for them.

use longshore_store::meta::Durability;
use longshore_types::time::Timestamp;

use super::Swept;
use crate::{
    core::Core,
    error::{Error, Result},
    table::lease,
};

const PER_TICK: i64 = 1000;

/// Forgets up to 1,000 leases that have ended by the time `now`.
pub async fn tick(core: &Core, now: Timestamp) -> Result<Swept> {
    let any = core
        .meta
        .read(move |tx| Ok::<_, Error>(lease::any_ended(tx, now)?));
    if !any.await? {
        return Ok(Swept::default());
    }
    let forgotten = core
        .meta
        .write(Durability::Soft, move |tx| {
            Ok::<_, Error>(lease::forget(tx, now, PER_TICK)?)
        })
        .await?;
    Ok(Swept {
        done: usize::try_from(forgotten).map_err(Error::internal)?,
        more: forgotten > 0,
    })
}

//! Writes when access keys and roles were last used.

use longshore_store::meta::Durability;

use longshore_types::time::Timestamp;

use super::Swept;
use crate::{
    core::Core,
    error::{Error, Result},
    table::usage,
};

const PER_TICK: usize = 300;

/// Writes up to 300 uses that have waited long enough.
pub async fn tick(core: &Core) -> Result<Swept> {
    write(core, core.meta.now()).await
}

/// Writes all uses, however short they have waited: for a server that stops.
pub async fn finish(core: &Core) -> Result<()> {
    while write(core, Timestamp::from_millis(i64::MAX)).await?.more {}
    Ok(())
}

/// Writes uses that have waited long enough at `now`.
async fn write(core: &Core, now: Timestamp) -> Result<Swept> {
    let uses = core.usage.take(now, PER_TICK);
    let done = uses.len();
    if done == 0 {
        return Ok(Swept::default());
    }
    let rows = uses.clone();
    let written = core
        .meta
        .write(Durability::Soft, move |tx| {
            for (id, last) in &rows {
                usage::put(tx, id, last)?;
            }
            Ok::<_, Error>(())
        })
        .await;
    if let Err(error) = written {
        core.usage.put_back(uses);
        return Err(error);
    }
    Ok(Swept {
        done,
        more: done == PER_TICK,
    })
}

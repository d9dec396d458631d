//! Writes when access keys and roles were last used.

use super::Swept;
use crate::{core::Core, deferred::Put, error::Result, table::usage, usage::Use};

const PUT: Put<String, Use> = |tx, id, last| usage::put(tx, id, last);

/// Writes up to 300 uses that have waited long enough.
pub async fn tick(core: &Core) -> Result<Swept> {
    let (meta, uses) = (&core.meta, &core.usage);
    Ok(uses.write(meta, meta.now(), PUT).await?)
}

/// Writes all uses: for a server that stops.
pub(super) async fn finish(core: &Core) -> Result<()> {
    Ok(core.usage.write_all(&core.meta, PUT).await?)
}

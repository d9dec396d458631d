//! Writes when images were last pulled.

use longshore_types::{digest::Digest, id::Incarnation, time::Timestamp};

use super::Swept;
use crate::{core::Core, deferred::Put, error::Result, table::image_pull};

const PUT: Put<(Incarnation, Digest), Timestamp> =
    |tx, (incarnation, image), at| image_pull::put(tx, *incarnation, image, *at);

/// Writes up to 300 pulls that have waited long enough.
pub async fn tick(core: &Core) -> Result<Swept> {
    let (meta, pulls) = (&core.meta, &core.pulls);
    Ok(pulls.write(meta, meta.now(), PUT).await?)
}

/// Writes all pulls: for a server that stops.
pub(super) async fn finish(core: &Core) -> Result<()> {
    Ok(core.pulls.write_all(&core.meta, PUT).await?)
}

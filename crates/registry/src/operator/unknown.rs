//! Segments that no row names.

use longshore_store::blob::NamedObjects;
use longshore_types::id::PhysicalId;

use crate::{
    core::Core,
    error::{Error, Result},
    table::segment,
};

/// The segments of a store lie in as many folders.
pub(super) const SHARDS: u32 = 256;
/// How many ids one query looks up.
pub(super) const IDS_PER_QUERY: usize = 500;

/// What a folder has.
pub(super) struct Unknown {
    /// How many segments it has.
    pub(super) listed: u64,
    /// Those that no row names.
    pub(super) ids: Vec<PhysicalId>,
}

/// Lists a folder, and asks the rows then: what is being written has its row from before it exists, and what is removed keeps
/// its row until it is gone.
pub(super) async fn list(core: &Core, objects: &dyn NamedObjects, shard: u32) -> Result<Unknown> {
    let names = objects.list(&format!("{shard:02x}")).await;
    let names = names.map_err(Error::internal)?;
    let listed: Vec<PhysicalId> = names
        .iter()
        .filter_map(|name| name.rsplit('/').next()?.parse().ok())
        .collect();
    let mut ids = Vec::new();
    for some in listed.chunks(IDS_PER_QUERY) {
        let some = some.to_vec();
        let unknown = core.meta.query(move |tx| segment::unknown(tx, &some));
        ids.extend(unknown.await?);
    }
    Ok(Unknown {
        listed: listed.len() as u64,
        ids,
    })
}

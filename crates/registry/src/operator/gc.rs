//! `gc`: collects all that is due now, or says what would be.
//!
//! It is what the sweepers of a running server do by themselves, without a rest between the steps.

use longshore_store::meta::Tx;
use serde::Serialize;

use crate::{
    core::Core,
    error::{Error, Result},
    job::{collect, doomed, uploads},
    table::garbage,
};

/// What there is to collect, or what was collected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Garbage {
    /// Uploads that nobody has touched for a day.
    pub uploads: u64,
    /// Links that no image needs and whose promise has ended.
    pub links: u64,
    /// Blobs that no link needs, not counting those that become so with the links above.
    pub blobs: u64,
    /// The bytes of those blobs.
    pub bytes: u64,
    /// Files whose grace time has ended.
    pub files: u64,
}

/// Counts what is due now.
pub async fn due(core: &Core) -> Result<Garbage> {
    let settling = core.blobs.settling();
    let due = move |tx: &mut dyn Tx| Ok::<_, Error>(garbage::due(tx, settling)?);
    core.meta.read(due).await
}

/// Collects until nothing is due; `progress` is told after every step.
pub async fn collect(core: &Core, mut progress: impl FnMut(&Garbage)) -> Result<Garbage> {
    let mut done = Garbage::default();
    loop {
        let uploads = uploads::tick(core).await?;
        let collected = collect::step(core).await?;
        let files = doomed::tick(core).await?;
        done.uploads += uploads.done as u64;
        done.links += collected.links;
        done.blobs += collected.blobs;
        done.bytes += collected.bytes;
        done.files += files.done as u64;
        progress(&done);
        if !(uploads.more || collected.swept.more || files.more) {
            return Ok(done);
        }
    }
}

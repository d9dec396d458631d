//! `gc`: collects all that is due now, or says what would be.
//!
//! It is what the sweepers of a running server do by themselves, without a rest between the steps.

use longshore_store::meta::{Durability, Tx};
use longshore_types::id::PhysicalId;
use serde::Serialize;

use super::unknown::{self, IDS_PER_QUERY, SHARDS};
use crate::{
    core::Core,
    error::{Error, Result},
    job::{
        collect, doomed,
        pause::{self, Leave},
        uploads,
    },
    table::{doomed::doom_unknown, garbage, link::KEEP},
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
    /// Files that no row names, where those were looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_files: Option<u64>,
    /// Until when nothing is collected, in milliseconds since the epoch, after a jump of the clock or a restore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<i64>,
}

/// Counts what is due now.
pub async fn due(core: &Core) -> Result<Garbage> {
    let settling = core.blobs.settling();
    let due = move |tx: &mut dyn Tx| Ok::<_, Error>(garbage::due(tx, settling)?);
    let due = core.meta.read(due).await?;
    let paused_until = match pause::look(core).await? {
        Leave::By(_) => None,
        Leave::Paused(until) => Some(until.as_millis()),
    };
    Ok(Garbage {
        paused_until,
        ..due
    })
}

/// Collects until nothing is due, or collection pauses; `progress` is told after every step.
pub async fn collect(core: &Core, mut progress: impl FnMut(&Garbage)) -> Result<Garbage> {
    let mut done = Garbage::default();
    loop {
        let now = match pause::look(core).await? {
            Leave::By(now) => now,
            Leave::Paused(until) => {
                done.paused_until = Some(until.as_millis());
                return Ok(done);
            }
        };
        let uploads = uploads::tick(core, now).await?;
        let collected = collect::step(core, now).await?;
        let files = doomed::tick(core, now).await?;
        done.uploads += uploads.done as u64;
        done.links += collected.links;
        done.blobs += collected.blobs;
        done.bytes += collected.bytes;
        done.files += files.done as u64;
        progress(&done);
        // What an upload held may go a moment later than the time that this step went by.
        if uploads.done == 0 && !(collected.swept.more || files.more) {
            return Ok(done);
        }
    }
}

/// Looks for files that no row names, as what was written for more than a day may leave when its writer dies. Unless it is a
/// `dry_run`, they go in a day, as what is garbage since now. Returns how many there are; `progress` is told so meanwhile.
pub async fn unknown(core: &Core, dry_run: bool, mut progress: impl FnMut(u64)) -> Result<u64> {
    let mut found = 0;
    for (store, objects) in core.blobs.listed() {
        for shard in 0..SHARDS {
            let unknown = unknown::list(core, objects.as_ref(), shard).await?;
            if dry_run {
                found += unknown.ids.len() as u64;
            } else {
                for ids in unknown.ids.chunks(IDS_PER_QUERY) {
                    found += doom(core, store, ids.to_vec()).await?;
                }
            }
            progress(found);
        }
    }
    Ok(found)
}

/// Dooms those that no row names still.
async fn doom(core: &Core, store: u32, ids: Vec<PhysicalId>) -> Result<u64> {
    core.meta
        .write(Durability::Durable, move |tx| {
            let not_before = tx.now().plus(KEEP);
            let mut doomed = 0;
            for id in &ids {
                doomed += u64::from(doom_unknown(tx, *id, store, not_before)?);
            }
            Ok::<_, Error>(doomed)
        })
        .await
}

//! Garbage collection, incremental: only candidates that are due, each decided in its own transaction.
//!
//! The foreign keys prove that nothing needs what goes: a link goes only without a reference to it, a blob only
//! without a link.

use longshore_store::meta::{Durability, Tx};
use longshore_types::{digest::Digest, time::Timestamp};

use super::Swept;
use crate::{
    core::Core,
    error::{Error, Result},
    table::{
        blob,
        candidate::{self, Candidate, Kind},
        link, relocation,
    },
};

const PER_TICK: i64 = 200;

/// What one step collected.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Collected {
    /// Candidates decided.
    pub(crate) swept: Swept,
    pub(crate) links: u64,
    pub(crate) blobs: u64,
    /// The bytes of those blobs.
    pub(crate) bytes: u64,
}

/// Decides up to 200 candidates that are due by the time `now`.
pub async fn tick(core: &Core, now: Timestamp) -> Result<Swept> {
    Ok(step(core, now).await?.swept)
}

/// Decides up to 200 candidates that are due by the time `now`, and tells what went.
pub(crate) async fn step(core: &Core, now: Timestamp) -> Result<Collected> {
    let due = core
        .meta
        .read(move |tx| Ok::<_, Error>(candidate::due(tx, now, PER_TICK)?))
        .await?;
    let mut collected = Collected::default();
    collected.swept.done = due.len();
    // A link that went has made a candidate of its blob, due now.
    collected.swept.more = !due.is_empty();
    for candidate in due {
        let kind = candidate.kind;
        let gone = core
            .meta
            .write(Durability::Soft, move |tx| decide(tx, &candidate, now))
            .await?;
        match (kind, gone) {
            (_, None) => {}
            (Kind::Link, Some(_)) => collected.links += 1,
            (Kind::Blob, Some(bytes)) => {
                collected.blobs += 1;
                collected.bytes += bytes;
            }
        }
    }
    Ok(collected)
}

/// Decides one candidate; returns the bytes of what went, if it went.
fn decide(tx: &mut dyn Tx, candidate: &Candidate, now: Timestamp) -> Result<Option<u64>> {
    if !candidate::remove(tx, candidate)? {
        return Ok(None);
    }
    match candidate.kind {
        Kind::Link => {
            let went = decide_link(tx, &candidate.scope, &candidate.digest, now)?;
            Ok(went.then_some(0))
        }
        Kind::Blob => {
            let gone = blob::collect_unlinked(tx, &candidate.scope, &candidate.digest)?;
            if gone.is_none() {
                relocation::look_if_misplaced(tx, &candidate.scope, &candidate.digest)?;
            }
            Ok(gone)
        }
    }
}

fn decide_link(
    tx: &mut dyn Tx,
    incarnation: &[u8],
    digest: &Digest,
    now: Timestamp,
) -> Result<bool> {
    let Some(standing) = link::standing(tx, incarnation, digest)? else {
        return Ok(false);
    };
    if standing.referenced {
        // Letting the reference go makes a new candidate. With the promise ended, it may be one of archived images alone.
        relocation::look_if_misplaced(tx, standing.domain.as_bytes(), digest)?;
        return Ok(false);
    }
    if standing.expired {
        // So does the end of the time in which the image can be brought back.
        return Ok(false);
    }
    let keep_until = Timestamp::from_millis(standing.keep_until);
    if keep_until > now {
        candidate::insert(tx, keep_until, Kind::Link, incarnation, digest)?;
        return Ok(false);
    }
    link::remove(tx, incarnation, standing.domain, digest)?;
    Ok(true)
}

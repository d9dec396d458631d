//! Whether anything may be collected now. A pause is kept in the store, so that a restart, every other server and `longshore gc`
//! know of it.

use longshore_store::meta::Durability;
use longshore_types::time::Timestamp;

use crate::{
    core::Core,
    error::{Error, Result},
    table::{
        collection_pause::{self, Reason},
        link::KEEP,
    },
};

/// Whether anything may be collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// What is due by this time. Whoever collects goes by it in every transaction: the clock may jump before one begins.
    By(Timestamp),
    /// Nothing until this time.
    Paused(Timestamp),
}

impl Leave {
    /// The time by which may be collected, if it may.
    pub fn by(self) -> Option<Timestamp> {
        match self {
            Self::By(now) => Some(now),
            Self::Paused(_) => None,
        }
    }
}

/// Looks whether anything may be collected now.
///
/// After a jump of the clock every promise could seem to have ended, every upload to be abandoned, every image to be old, so
/// collection waits for a full promise; so it does after a restore.
pub async fn look(core: &Core) -> Result<Leave> {
    // Before the question whether the clock has jumped, so that the answer is about this time, too.
    let now = core.meta.now();
    let kept = core
        .meta
        .query(|tx| Ok::<_, Error>(collection_pause::until(tx)?))
        .await?;
    let seen = core.meta.clock_jumped_at().map(|jumped| jumped.plus(KEEP));
    if let Some(seen) = seen.filter(|seen| *seen > kept) {
        core.meta
            .write(Durability::Durable, move |tx| {
                Ok::<_, Error>(collection_pause::raise(tx, Reason::Clock, seen)?)
            })
            .await?;
    }
    let until = seen.map_or(kept, |seen| seen.max(kept));
    Ok(if until > now {
        Leave::Paused(until)
    } else {
        Leave::By(now)
    })
}

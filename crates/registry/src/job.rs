//! Work that no request waits for: sweepers with a bounded `tick` each, driven by [`run`].

pub mod archive;
pub mod collect;
pub mod copy;
pub mod dead;
pub mod doomed;
pub mod expired;
pub mod key_copies;
pub mod leases;
pub mod lifecycle;
pub mod pause;
pub mod pulls;
pub mod uploads;
pub mod usage;

use std::{sync::Arc, time::Duration};

use longshore_store::soak;
use tokio::sync::Notify;

use crate::{core::Core, error::Result};

/// What one bounded step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many things it dealt with.
    pub done: usize,
    /// Whether there is more to do now.
    pub more: bool,
}

/// How long the sweepers rest when there is nothing to do.
const REST: Duration = Duration::from_secs(10);
/// How long they pause between two steps, so that requests come first.
const BREATH: Duration = Duration::from_millis(20);

/// Runs one step of everything. Returns whether any has more to do now; one that fails holds up none of the others.
pub async fn tick(core: &Core) -> Result<bool> {
    let (swept, moved) = (sweep(core).await, archive::tick(core).await);
    let copied = copy::tick(core).await;
    Ok(swept? | moved?.more | copied?.more)
}

/// Runs one step of every sweeper that touches the metadata and removes files.
async fn sweep(core: &Core) -> Result<bool> {
    let leave = pause::look(core).await?.by();
    let mut swept = vec![
        dead::tick(core).await,
        key_copies::tick(core).await,
        usage::tick(core).await,
        pulls::tick(core).await,
        lifecycle::tick(core, leave).await,
    ];
    if let Some(now) = leave {
        swept.push(leases::tick(core, now).await);
        swept.push(uploads::tick(core, now).await);
        swept.push(expired::tick(core, now).await);
        swept.push(collect::tick(core, now).await);
        swept.push(doomed::tick(core, now).await);
    }
    swept
        .into_iter()
        .try_fold(false, |more, swept| Ok(more || swept?.more))
}

/// Writes what requests have left in memory to be written: for a server that stops.
pub async fn finish(core: &Core) -> Result<()> {
    let finished = [usage::finish(core).await, pulls::finish(core).await];
    finished.into_iter().collect()
}

/// Sweeps for ever, and beside it moves bytes between the stores and copies repositories, which may take long. Cancel by
/// dropping it: every step is a transaction, or leaves what its intent dooms.
pub async fn run(core: Arc<Core>) {
    let sweeping = async {
        loop {
            let swept = sweep(&core).await;
            rest(&core.wake, swept).await;
        }
    };
    let moving = async {
        loop {
            let moved = archive::tick(&core).await;
            rest(&core.wake_archive, moved.map(|moved| moved.more)).await;
        }
    };
    let copying = || async {
        loop {
            let copied = copy::tick(&core).await;
            rest(&core.wake_copies, copied.map(|copied| copied.more)).await;
        }
    };
    // Copies of so many accounts at a time.
    let copying = async { tokio::join!(copying(), copying(), copying(), copying()) };
    tokio::join!(sweeping, moving, copying);
}

/// Waits until the next step, which is soon if there is more to do, or until somebody wakes.
async fn rest(wake: &Notify, done: Result<bool>) {
    let pause = match done {
        Ok(true) => BREATH,
        Ok(false) => soak::brief(REST),
        Err(error) => {
            tracing::warn!(%error, "a sweep failed and will be tried again");
            REST
        }
    };
    // Whoever waits for a sweeper wakes them all.
    drop(tokio::time::timeout(pause, wake.notified()).await);
}

//! What the threads of the engine share.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};

use super::fault::FaultPoints;
use super::gate::Gate;
use super::options::Options;
use crate::meta::clock::StoreClock;
use crate::meta::stats::{Stats, Total};

pub(super) struct Shared {
    pub(super) path: PathBuf,
    pub(super) options: Options,
    pub(super) clock: StoreClock,
    pub(super) gate: Gate,
    pub(super) faults: FaultPoints,
    /// False from a failed commit until the store is recovered.
    pub(super) writable: AtomicBool,
    /// False from a failed checkpoint until one succeeds.
    pub(super) checkpointable: AtomicBool,
    /// Raised with each commit, so that the checkpointer sees whether there is work.
    pub(super) commits: AtomicU64,
    pub(super) statements: Total,
    pub(super) hops: Total,
    pub(super) steps: Total,
    pub(super) durable_commits: Total,
    pub(super) soft_commits: Total,
    pub(super) replayed_batches: Total,
    pub(super) recoveries: Total,
    pub(super) checkpoints: Total,
    pub(super) failed_checkpoints: Total,
}

impl Shared {
    pub(super) fn new(path: PathBuf, options: Options, clock: StoreClock) -> Self {
        Self {
            path,
            faults: FaultPoints::of(&options),
            options,
            clock,
            gate: Gate::default(),
            writable: AtomicBool::new(true),
            checkpointable: AtomicBool::new(true),
            // One more than checkpointed: an earlier run may have left frames.
            commits: AtomicU64::new(1),
            statements: Total::default(),
            hops: Total::default(),
            steps: Total::default(),
            durable_commits: Total::default(),
            soft_commits: Total::default(),
            replayed_batches: Total::default(),
            recoveries: Total::default(),
            checkpoints: Total::default(),
            failed_checkpoints: Total::default(),
        }
    }

    pub(super) fn wal_bytes(&self) -> u64 {
        let mut path = OsString::from(&self.path);
        path.push("-wal");
        fs::metadata(path).map_or(0, |metadata| metadata.len())
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            wal_bytes: self.wal_bytes(),
            waiting_writes: 0,
            waiting_reads: 0,
            durable_commits: self.durable_commits.value(),
            soft_commits: self.soft_commits.value(),
            replayed_batches: self.replayed_batches.value(),
            reruns: 0,
            recoveries: self.recoveries.value(),
            checkpoints: self.checkpoints.value(),
            failed_checkpoints: self.failed_checkpoints.value(),
        }
    }
}

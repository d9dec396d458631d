//! What the store tells about itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// How much work the store has done for its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Statements run by closures.
    pub statements: u64,
    /// Closures sent to another thread.
    pub hops: u64,
    /// Steps of the machine that runs the statements of the embedded engine: what they read and wrote, whatever the day and
    /// the machine. PostgreSQL tells none.
    pub steps: u64,
}

/// Gauges and totals for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes of the write-ahead log file.
    pub wal_bytes: u64,
    /// Writing closures that wait.
    pub waiting_writes: usize,
    /// Reading closures that wait.
    pub waiting_reads: usize,
    /// Transactions committed with a sync.
    pub durable_commits: u64,
    /// Transactions committed without one.
    pub soft_commits: u64,
    /// Batches that the engine lost and ran again job by job.
    pub replayed_batches: u64,
    /// Closures that an engine with row locks ran again, because others came first or the connection was lost.
    pub reruns: u64,
    /// Times that the store was reopened after an I/O error.
    pub recoveries: u64,
    /// Checkpoints that left nothing in the log.
    pub checkpoints: u64,
    /// Checkpoints that failed.
    pub failed_checkpoints: u64,
}

/// A total that several threads raise.
#[derive(Debug, Default)]
pub(super) struct Total(AtomicU64);

impl Total {
    pub(super) fn increment(&self) {
        self.add(1);
    }

    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

//! An engine that stops at a gate before each job, so that tests decide who goes on.

use std::sync::Arc;

use longshore_types::time::Timestamp;

use super::error::Result;
use super::job::Job;
use super::stats::{Counters, Stats};
use super::{Durability, Engine, Metadata};

/// Called on the thread of whoever has a job, before the engine gets it; may block.
pub type Gate = Arc<dyn Fn() + Send + Sync>;

struct Gated {
    engine: Arc<dyn Engine>,
    gate: Gate,
}

impl Metadata {
    /// Returns the same store with a gate before each transaction and query.
    #[must_use]
    pub fn gated(self, gate: Gate) -> Self {
        let engine = self.0;
        Self(Arc::new(Gated { engine, gate }))
    }
}

impl Engine for Gated {
    fn write(&self, durability: Durability, job: Box<dyn Job>) -> Result<()> {
        (self.gate)();
        self.engine.write(durability, job)
    }

    fn read(&self, job: Box<dyn Job>) -> Result<()> {
        (self.gate)();
        self.engine.read(job)
    }

    fn query(&self, job: Box<dyn Job>) -> Result<()> {
        (self.gate)();
        self.engine.query(job)
    }

    fn counters(&self) -> Counters {
        self.engine.counters()
    }

    fn now(&self) -> Timestamp {
        self.engine.now()
    }

    fn system_now(&self) -> Timestamp {
        self.engine.system_now()
    }

    fn clock_jumped_at(&self) -> Option<Timestamp> {
        self.engine.clock_jumped_at()
    }

    fn stats(&self) -> Stats {
        self.engine.stats()
    }

    fn is_ready(&self) -> bool {
        self.engine.is_ready()
    }
}

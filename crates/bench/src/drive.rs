//! Driving one target with a number of concurrent lanes until a bound is reached.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::join_all;

use crate::measure::Tally;
use crate::payload::mix;
use crate::registry::Registry;
use crate::target::Target;

/// Failures after which a lane gives up.
const MAX_ERRORS: u64 = 5;

/// When a round ends: no operation starts after the time or beyond the count.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// The longest time in which operations start.
    pub time: Duration,
    /// The largest number of operations.
    pub count: u64,
}

/// One round of one workload at one target.
#[derive(Debug)]
pub struct Trial<'a> {
    /// The driven server.
    pub target: &'a Target,
    /// The round's number; 0 is the warm-up.
    pub round: usize,
    /// How many lanes work at once.
    pub concurrency: usize,
    /// When it ends.
    pub bound: Bound,
}

/// One of the concurrent clients of a trial.
#[derive(Debug)]
pub struct Lane {
    /// The client, with a connection of its own.
    pub registry: Registry,
    /// A number that no other operation at this target has.
    pub number: u64,
    /// Pseudo-random, the same for the same lane, round and operation.
    pub random: u64,
}

impl Lane {
    /// Picks one of `items` at random.
    pub fn pick<'i, T>(&self, items: &'i [T]) -> Result<&'i T> {
        let count = items.len().max(1) as u64;
        let index = usize::try_from(self.random % count)?;
        items
            .get(index)
            .ok_or_else(|| anyhow::anyhow!("nothing was stocked to pick from"))
    }
}

impl Trial<'_> {
    /// Repeats `operation`, which returns the body bytes it moved, on every lane until the bound.
    pub async fn drive<F>(&self, operation: F) -> Tally
    where
        F: AsyncFn(&mut Lane) -> Result<u64>,
    {
        let started = Instant::now();
        let left = Cell::new(self.bound.count);
        let lanes = (0..self.concurrency).map(|index| self.lane(index, started, &left, &operation));
        let mut total = Tally::default();
        for tally in join_all(lanes).await {
            total.absorb(tally);
        }
        total.elapsed = started.elapsed();
        total.latencies.sort_unstable();
        total
    }

    async fn lane<F>(
        &self,
        index: usize,
        started: Instant,
        left: &Cell<u64>,
        operation: &F,
    ) -> Tally
    where
        F: AsyncFn(&mut Lane) -> Result<u64>,
    {
        let mut lane = Lane {
            registry: self.target.client(),
            number: 0,
            random: mix(((self.round as u64) << 32) | index as u64),
        };
        let mut tally = Tally::default();
        while left.get() > 0 && started.elapsed() < self.bound.time && tally.errors < MAX_ERRORS {
            left.set(left.get() - 1);
            lane.number = self.target.fresh_number();
            lane.random = mix(lane.random.wrapping_add(1));
            let begun = Instant::now();
            match operation(&mut lane).await {
                Ok(bytes) => tally.success(bytes, begun.elapsed()),
                Err(error) => tally.failure(&error),
            }
        }
        tally
    }
}

//! A writing thread: one job at a time, in a transaction of its own, again while others come first.

use std::thread;
use std::time::Duration;

use crossbeam_channel::Receiver;
use longshore_types::time::Timestamp;

use super::clock::local_millis;
use super::commit::{self, Noted};
use super::failure::{Failure, Remedy};
use super::fault::Point;
use super::link::Link;
use super::transaction::{Kind, PostgresTx};
use crate::crypto;
use crate::meta::Durability;
use crate::meta::error::{Error, Result};
use crate::meta::job::{Job, Verdict};

/// How often a closure runs at most.
const TRIES: u32 = 10;

/// A job on its way to a writing thread.
pub(super) struct Write {
    pub(super) durability: Durability,
    pub(super) job: Box<dyn Job>,
}

pub(super) struct Writer {
    link: Link,
    queue: Receiver<Write>,
}

/// A transaction that has begun.
struct Begun {
    noted: Noted,
    now: Timestamp,
}

impl Writer {
    pub(super) fn new(link: Link, queue: Receiver<Write>) -> Self {
        Self { link, queue }
    }

    /// Runs jobs until the queue is closed and empty.
    pub(super) fn run(mut self) {
        while let Ok(Write {
            durability,
            mut job,
        }) = self.queue.recv()
        {
            let outcome = self.serve(durability, job.as_mut());
            job.finish(outcome);
        }
    }

    fn serve(&mut self, durability: Durability, job: &mut dyn Job) -> Result<()> {
        for turn in 1.. {
            self.link.shared.admit()?;
            let failure = match self.attempt(durability, job) {
                Ok(outcome) => return outcome,
                Err(failure) => failure,
            };
            self.link.discard_if_broken(&failure);
            if matches!(failure.remedy, Remedy::None | Remedy::Discard) || turn == TRIES {
                return Err(failure.error);
            }
            self.link.shared.reruns.increment();
            thread::sleep(pause(turn));
        }
        Err(Error::Conflict)
    }

    /// Runs the closure in a transaction. The inner result is for its caller; the outer one tells of a failure by which
    /// nothing is kept, unless it says otherwise.
    fn attempt(
        &mut self,
        durability: Durability,
        job: &mut dyn Job,
    ) -> Result<Result<()>, Failure> {
        let begun = self.begin(durability);
        if begun.is_err() {
            // It may stand in a transaction that has failed.
            self.link.discard();
        }
        let Begun { noted, now } = begun?;
        let mut tx = PostgresTx::new(&mut self.link, Kind::Write, now);
        let verdict = job.run(&mut tx);
        match tx.into_failure() {
            Some(failure) => {
                if !failure.breaks_connection() {
                    self.rollback();
                }
                // The closure may have made an error of its own of it; that it ran into others is no reason to tell.
                if verdict == Verdict::Undo && failure.remedy == Remedy::None {
                    return Ok(Ok(()));
                }
                Err(failure)
            }
            None if verdict == Verdict::Undo => {
                self.rollback();
                Ok(Ok(()))
            }
            None => self.commit(durability, &noted).map(Ok),
        }
    }

    /// Begins a transaction whose time is covered by the stored one.
    fn begin(&mut self, durability: Durability) -> Result<Begun, Failure> {
        loop {
            let shared = self.link.shared.clone();
            shared.faults.pass(Point::Begin)?;
            let connection = self.link.connection()?;
            let now = shared.clock.now();
            if !shared.is_covered(now) {
                shared.raise(connection, now)?;
            }
            let sent = local_millis();
            // A round trip of its own: a statement sent along would commit by itself, did BEGIN fail.
            let row = connection.simple_row(match durability {
                Durability::Durable => {
                    "BEGIN; SELECT pg_current_xact_id()::text, (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
                }
                Durability::Soft => {
                    "BEGIN; SET LOCAL synchronous_commit TO off; \
                     SELECT pg_current_xact_id()::text, (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
                }
            })?;
            shared.observe(row.get(1), sent);
            let noted = Noted {
                transaction: row.get(0).unwrap_or_default().to_owned(),
                incarnation: connection.incarnation.clone(),
            };
            let now = shared.clock.now();
            if shared.is_covered(now) {
                return Ok(Begun { noted, now });
            }
            // The process slept, or the clock was set, in between.
            connection.batch("ROLLBACK")?;
        }
    }

    fn rollback(&mut self) {
        let ended = self.link.held().and_then(|open| open.batch("ROLLBACK"));
        if ended.is_err() {
            // The server ends the transaction with the connection.
            self.link.discard();
        }
    }

    fn commit(&mut self, durability: Durability, noted: &Noted) -> Result<(), Failure> {
        commit::run(&mut self.link, noted)?;
        let shared = &self.link.shared;
        match durability {
            Durability::Durable => shared.durable_commits.increment(),
            Durability::Soft => shared.soft_commits.increment(),
        }
        Ok(())
    }
}

/// A random pause that may double with each turn.
fn pause(turn: u32) -> Duration {
    let most = 1000_u64 << turn.min(6);
    let draw = crypto::random::<8>().map_or(most, u64::from_le_bytes);
    Duration::from_micros(draw % most)
}

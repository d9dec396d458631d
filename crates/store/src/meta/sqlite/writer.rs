//! The writing thread: takes what waits, commits it at once, and answers after the commit.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use longshore_types::time::Timestamp;
use rusqlite::Connection;

use super::batch::{Batch, Committed, Raise, Stop, Write};
use super::connection::{self, Checkpoint, Level};
use super::fault::Point;
use super::schema;
use super::shared::Shared;
use crate::meta::Durability;
use crate::meta::error::{Error, Result};

/// Jobs that share a commit at most.
const BATCH: usize = 256;
/// How far the stored time runs ahead, so that it is written once in that while, yet never behind a kept row.
const AHEAD: Duration = Duration::from_secs(1);
/// Pause between tries to recover.
const RETRY: Duration = Duration::from_millis(250);
/// How long recovery waits for readers to leave.
const PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Writer {
    shared: Arc<Shared>,
    queue: Receiver<Write>,
    /// Missing while the store cannot be recovered.
    connection: Option<Connection>,
    level: Level,
    /// Whether the log holds commits that were not synced.
    unsynced: bool,
    stored: Timestamp,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        queue: Receiver<Write>,
        connection: Connection,
        stored: Timestamp,
    ) -> Self {
        Self {
            shared,
            queue,
            connection: Some(connection),
            level: Level::Full,
            unsynced: false,
            stored,
        }
    }

    /// Runs jobs until the queue is closed and empty, then empties the log.
    pub(super) fn run(mut self) {
        while let Ok(first) = self.queue.recv() {
            let mut writes = vec![first];
            // Whoever came while the last commit was under way goes together; nobody waits for company.
            writes.extend(self.queue.try_iter().take(BATCH - 1));
            self.serve(writes);
        }
        if let Err(error) = self.close() {
            tracing::error!(%error, "the metadata log could not be emptied at the end");
        }
    }

    fn serve(&mut self, writes: Vec<Write>) {
        let lost = self.attempt(writes);
        if lost.is_empty() {
            return;
        }
        self.shared.replayed_batches.increment();
        for write in lost {
            self.attempt(vec![write]);
        }
    }

    /// Runs jobs in one transaction and answers them; returns them unanswered if they are to run one by one.
    fn attempt(&mut self, mut writes: Vec<Write>) -> Vec<Write> {
        let stop = match self.transact(&mut writes) {
            Ok(committed) => {
                answer(writes, committed.outcomes);
                return Vec::new();
            }
            Err(stop) => stop,
        };
        let (error, broken) = match stop {
            Stop::Lost(_) if writes.len() > 1 => return writes,
            Stop::Refused(failure) | Stop::Lost(failure) => (failure.error, failure.broken),
            Stop::Unknown(failure) => {
                tracing::error!(error = %failure.error, "a commit of the metadata failed, its outcome is unknown");
                (Error::Unavailable, true)
            }
        };
        if broken {
            // Before anybody hears of it, so that whoever does finds the store not ready.
            self.shared.writable.store(false, Ordering::Release);
        }
        refuse(writes, &error);
        if broken {
            self.recover();
        }
        Vec::new()
    }

    fn transact(&mut self, writes: &mut [Write]) -> Result<Committed, Stop> {
        let Some(connection) = &self.connection else {
            return Err(Stop::Refused(Error::Busy.into()));
        };
        let durable = writes
            .iter()
            .any(|write| write.durability == Durability::Durable);
        let level = if durable { Level::Full } else { Level::Normal };
        if level != self.level {
            connection::set_level(connection, level).map_err(Stop::Refused)?;
            self.level = level;
        }
        let now = self.shared.clock.now();
        let raise = self.raise(now, durable && self.unsynced);
        let pass = self.shared.gate.enter();
        let committed = Batch {
            shared: &self.shared,
            connection,
            now,
            raise,
        }
        .run(writes)?;
        drop(pass);
        if committed.wrote {
            self.stored = raise.map_or(self.stored, |raise| raise.to);
            self.unsynced = !durable;
            self.shared.commits.fetch_add(1, Ordering::Release);
            if durable {
                &self.shared.durable_commits
            } else {
                &self.shared.soft_commits
            }
            .increment();
        }
        Ok(committed)
    }

    fn raise(&self, now: Timestamp, sync: bool) -> Option<Raise> {
        if now > self.stored {
            return Some(Raise {
                to: now.plus(AHEAD),
                always: sync,
            });
        }
        // SQLite writes no page whose bytes stay the same, and syncs nothing when no page is written.
        sync.then(|| Raise {
            to: self.stored.plus(Duration::from_millis(1)),
            always: true,
        })
    }

    /// Reopens the store and empties its log, refusing jobs until that succeeds.
    fn recover(&mut self) {
        self.connection = None;
        loop {
            match self.reopen() {
                Ok(connection) => {
                    self.connection = Some(connection);
                    break;
                }
                Err(error) => tracing::error!(%error, "the metadata store cannot be recovered yet"),
            }
            if !self.refuse_until(Instant::now() + RETRY) {
                return;
            }
        }
        self.shared.recoveries.increment();
        self.shared.writable.store(true, Ordering::Release);
        tracing::info!("the metadata store is recovered");
    }

    fn reopen(&mut self) -> Result<Connection> {
        let _pause = self.shared.gate.pause(PAUSE).ok_or(Error::Busy)?;
        self.shared.faults.pass(Point::Reopen, None)?;
        let connection = connection::open_writer(&self.shared.path, &self.shared.options)?;
        // After a failed sync the kernel may hold pages of the log for clean that never reached the disk. Only what
        // was copied to the database and synced there is certain, so nothing is appended to this log again.
        connection::checkpoint(&connection, Checkpoint::Truncate)?;
        self.stored = self.stored.max(schema::highest_time(&connection)?);
        self.level = Level::Full;
        self.unsynced = false;
        Ok(connection)
    }

    /// Refuses what comes until `deadline`; false when the queue is closed.
    fn refuse_until(&self, deadline: Instant) -> bool {
        loop {
            match self.queue.recv_deadline(deadline) {
                Ok(write) => refuse(vec![write], &Error::Busy),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    fn close(&mut self) -> Result<()> {
        let Some(connection) = self.connection.take() else {
            return Ok(());
        };
        let now = self.shared.clock.now();
        if self.stored > now {
            connection::set_level(&connection, Level::Full)?;
            schema::settle_highest_time(&connection, self.stored, now)?;
        }
        connection::checkpoint(&connection, Checkpoint::Truncate)?;
        Ok(())
    }
}

fn answer(writes: Vec<Write>, outcomes: Vec<Result<()>>) {
    for (write, outcome) in writes.into_iter().zip(outcomes) {
        write.job.finish(outcome);
    }
}

fn refuse(writes: Vec<Write>, error: &Error) {
    for write in writes {
        write.job.finish(Err(error.clone()));
    }
}

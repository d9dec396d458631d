//! The thread that moves the log into the database, apart from the commits.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rusqlite::Connection;

use super::connection::{self, Checkpoint};
use super::failure::Failure;
use super::fault::Point;
use super::shared::Shared;
use crate::meta::error::{Error, Result};

/// How long readers and the writer may be held up before emptying the log is put off.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Checkpointer {
    shared: Arc<Shared>,
    stop: Receiver<()>,
    connection: Option<Connection>,
    /// The commits that the database holds without the log.
    checkpointed: u64,
}

impl Checkpointer {
    pub(super) fn new(shared: Arc<Shared>, stop: Receiver<()>) -> Self {
        Self {
            shared,
            stop,
            connection: None,
            checkpointed: 0,
        }
    }

    /// Ticks until the other end of `stop` is dropped.
    pub(super) fn run(mut self) {
        let every = self.shared.options.checkpoint_every;
        while self.stop.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
            self.tick();
        }
    }

    fn tick(&mut self) {
        // Looking at the clock each time is what lets it notice a jump.
        self.shared.clock.now();
        match self.checkpoint() {
            // Another process reads, or the log is being recovered: the next tick goes on.
            Ok(())
            | Err(Failure {
                error: Error::Busy, ..
            }) => {
                self.shared.checkpointable.store(true, Ordering::Release);
            }
            Err(failure) => {
                tracing::error!(error = %failure.error, "a checkpoint of the metadata failed");
                self.shared.failed_checkpoints.increment();
                self.shared.checkpointable.store(false, Ordering::Release);
                self.connection = None;
            }
        }
    }

    fn checkpoint(&mut self) -> Result<(), Failure> {
        let commits = self.shared.commits.load(Ordering::Acquire);
        if commits == self.checkpointed {
            return Ok(());
        }
        self.shared.faults.pass(Point::Checkpoint, None)?;
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connection::open_checkpointer(&self.shared.path, &self.shared.options)?,
        };
        let connection = self.connection.insert(connection);
        if connection::checkpoint(connection, Checkpoint::Passive)? {
            self.checkpointed = commits;
            self.shared.checkpoints.increment();
        }
        if self.shared.wal_bytes() > self.shared.options.wal_limit
            && let Some(_pause) = self.shared.gate.pause(PAUSE)
        {
            connection::checkpoint(connection, Checkpoint::Truncate)?;
        }
        Ok(())
    }
}

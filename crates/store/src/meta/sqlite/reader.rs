//! A reading thread with its own connection.

use std::sync::Arc;

use crossbeam_channel::Receiver;
use rusqlite::Connection;

use super::connection;
use super::failure::Failure;
use super::fault::Point;
use super::shared::Shared;
use super::transaction::{Kind, SqliteTx};
use crate::meta::error::{Error, Result};
use crate::meta::job::{Job, Verdict};

/// A job on its way to a reading thread.
pub(super) struct Read {
    pub(super) kind: Kind,
    pub(super) job: Box<dyn Job>,
}

pub(super) struct Reader {
    shared: Arc<Shared>,
    queue: Receiver<Read>,
    /// Missing after an I/O error, until it can be opened again.
    connection: Option<Connection>,
}

impl Reader {
    pub(super) fn open(shared: Arc<Shared>, queue: Receiver<Read>) -> Result<Self> {
        let connection = connection::open_reader(&shared.path, &shared.options)?;
        Ok(Self {
            shared,
            queue,
            connection: Some(connection),
        })
    }

    /// Runs jobs until the queue is closed and empty.
    pub(super) fn run(mut self) {
        while let Ok(read) = self.queue.recv() {
            if !read.job.is_abandoned() {
                self.serve(read);
            }
        }
    }

    fn serve(&mut self, Read { kind, mut job }: Read) {
        let outcome = self.attempt(kind, job.as_mut()).unwrap_or_else(|failure| {
            if failure.broken {
                tracing::error!(error = %failure.error, "a read of the metadata failed");
                self.connection = None;
            }
            Err(failure.error)
        });
        job.finish(outcome);
    }

    /// Runs a job; the inner result is for its caller, the outer one tells of a failure that the closure met.
    fn attempt(&mut self, kind: Kind, job: &mut dyn Job) -> Result<Result<()>, Failure> {
        let _pass = self.shared.gate.enter();
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => reopen(&self.shared)?,
        };
        let connection = self.connection.insert(connection);
        if kind == Kind::Snapshot {
            connection.prepare_cached("BEGIN")?.raw_execute()?;
        }
        let mut tx = SqliteTx::new(&self.shared, connection, kind, self.shared.clock.now());
        let verdict = job.run(&mut tx);
        let failure = tx.into_failure();
        if !connection.is_autocommit() {
            connection.prepare_cached("ROLLBACK")?.raw_execute()?;
        }
        match failure {
            // The closure returned an error of its own making over the failure.
            Some(failure) if verdict == Verdict::Undo && !failure.broken => Ok(Ok(())),
            Some(failure) => Err(failure),
            None => Ok(Ok(())),
        }
    }
}

fn reopen(shared: &Shared) -> Result<Connection, Failure> {
    shared.faults.pass(Point::Reopen, None)?;
    connection::open_reader(&shared.path, &shared.options).map_err(|error| {
        tracing::error!(%error, "a reader of the metadata cannot be opened again");
        Failure::from(Error::Busy)
    })
}

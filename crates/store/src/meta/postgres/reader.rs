//! A reading thread.

use crossbeam_channel::Receiver;

use super::failure::{Failure, Remedy};
use super::link::Link;
use super::transaction::{Kind, PostgresTx};
use crate::meta::error::Result;
use crate::meta::job::{Job, Verdict};

/// A job on its way to a reading thread.
pub(super) struct Read {
    pub(super) kind: Kind,
    pub(super) job: Box<dyn Job>,
}

pub(super) struct Reader {
    link: Link,
    queue: Receiver<Read>,
}

impl Reader {
    pub(super) fn new(link: Link, queue: Receiver<Read>) -> Self {
        Self { link, queue }
    }

    /// Runs jobs until the queue is closed and empty.
    pub(super) fn run(mut self) {
        while let Ok(read) = self.queue.recv() {
            if read.job.is_abandoned() {
                continue;
            }
            if let Err(error) = self.link.shared.admit() {
                read.job.finish(Err(error));
                continue;
            }
            match read.kind {
                Kind::Snapshot => self.snapshot(read.job),
                Kind::Single | Kind::Write => self.single(read.job),
            }
        }
    }

    fn single(&mut self, mut job: Box<dyn Job>) {
        let outcome = self.closure(Kind::Single, job.as_mut());
        job.finish(outcome);
    }

    fn snapshot(&mut self, mut job: Box<dyn Job>) {
        if let Err(failure) = self.begin() {
            self.link.discard_if_broken(&failure);
            return job.finish(Err(failure.error));
        }
        let outcome = self.closure(Kind::Snapshot, job.as_mut());
        // Nothing hangs on how a snapshot ends.
        job.finish(outcome);
        let ended = self.link.held().and_then(|open| open.batch("ROLLBACK"));
        if ended.is_err() {
            self.link.discard();
        }
    }

    /// A connection that was lost while it was idle is found out here, before the closure has begun.
    fn begin(&mut self) -> Result<(), Failure> {
        const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        match self.link.connection()?.batch(BEGIN) {
            Err(failure) if failure.remedy == Remedy::Reconnect => {
                self.link.discard();
                self.link.connection()?.batch(BEGIN)
            }
            begun => begun,
        }
    }

    /// Runs the closure, which may run once only; the result is for its caller.
    fn closure(&mut self, kind: Kind, job: &mut dyn Job) -> Result<()> {
        let now = self.link.shared.clock.now();
        let mut tx = PostgresTx::new(&mut self.link, kind, now);
        let verdict = job.run(&mut tx);
        let Some(failure) = tx.into_failure() else {
            return Ok(());
        };
        self.link.discard_if_broken(&failure);
        // The closure may have returned an error of its own making over the failure.
        if verdict == Verdict::Undo && !failure.breaks_connection() {
            Ok(())
        } else {
            Err(failure.error)
        }
    }
}

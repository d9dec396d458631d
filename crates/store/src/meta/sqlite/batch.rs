//! Jobs that share one transaction, a savepoint each.

use longshore_types::time::Timestamp;
use rusqlite::Connection;

use super::failure::Failure;
use super::fault::Point;
use super::schema;
use super::shared::Shared;
use super::transaction::{Kind, SqliteTx};
use crate::meta::Durability;
use crate::meta::error::{Error, Result};
use crate::meta::job::{Job, Verdict};

/// A job on its way to the writer.
pub(super) struct Write {
    pub(super) durability: Durability,
    pub(super) job: Box<dyn Job>,
}

/// Why a batch was not committed.
pub(super) enum Stop {
    /// It did not begin.
    Refused(Failure),
    /// SQLite rolled it back, or it had to be.
    Lost(Failure),
    /// The commit failed, and may have happened all the same.
    Unknown(Failure),
}

/// What a committed batch leaves behind.
pub(super) struct Committed {
    /// For each job what its caller is told; `Ok` is the closure's own result.
    pub(super) outcomes: Vec<Result<()>>,
    /// Whether anything reached the log.
    pub(super) wrote: bool,
}

/// A higher time to store.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raise {
    pub(super) to: Timestamp,
    /// Even if no job changes a row, so that the commit writes a page and syncs the soft commits before it.
    pub(super) always: bool,
}

/// One try at running jobs in a transaction.
pub(super) struct Batch<'a> {
    pub(super) shared: &'a Shared,
    pub(super) connection: &'a Connection,
    pub(super) now: Timestamp,
    /// The stored time is raised with this batch.
    pub(super) raise: Option<Raise>,
}

impl Batch<'_> {
    /// Runs the jobs and commits those that want to be kept; nothing is answered here.
    pub(super) fn run(&self, writes: &mut [Write]) -> Result<Committed, Stop> {
        self.begin().map_err(Stop::Refused)?;
        let ran = match writes {
            [write] => self.run_alone(write.job.as_mut()),
            writes => self.run_all(writes),
        };
        let (outcomes, n_changed) = ran.map_err(|failure| self.lose(failure))?;
        let raise = self.raise.filter(|raise| raise.always || n_changed > 0);
        if let Some(raise) = raise {
            schema::raise_highest_time(self.connection, raise.to)
                .map_err(|failure| self.lose(failure))?;
        }
        self.commit()?;
        Ok(Committed {
            outcomes,
            wrote: n_changed > 0 || raise.is_some(),
        })
    }

    fn begin(&self) -> Result<(), Failure> {
        self.shared.faults.pass(Point::Begin, None)?;
        self.execute("BEGIN IMMEDIATE")
    }

    fn run_all(&self, writes: &mut [Write]) -> Result<(Vec<Result<()>>, u64), Failure> {
        let mut outcomes = Vec::with_capacity(writes.len());
        let mut n_changed = 0;
        for write in writes {
            self.execute("SAVEPOINT job")?;
            let ran = self.run_job(write.job.as_mut())?;
            if !ran.kept {
                self.execute("ROLLBACK TO job")?;
            }
            self.execute("RELEASE job")?;
            outcomes.push(ran.outcome);
            n_changed += ran.n_changed;
        }
        Ok((outcomes, n_changed))
    }

    /// Spares the savepoint: the transaction is the job's own.
    fn run_alone(&self, job: &mut dyn Job) -> Result<(Vec<Result<()>>, u64), Failure> {
        let ran = self.run_job(job)?;
        if !ran.kept {
            self.execute("ROLLBACK")?;
            self.execute("BEGIN IMMEDIATE")?;
        }
        Ok((vec![ran.outcome], ran.n_changed))
    }

    /// Runs one job; an error means that the whole batch is lost.
    fn run_job(&self, job: &mut dyn Job) -> Result<Ran, Failure> {
        let changes_before = self.connection.total_changes();
        let mut tx = SqliteTx::new(self.shared, self.connection, Kind::Write, self.now);
        let verdict = job.run(&mut tx);
        let failure = tx.into_failure();
        if self.connection.is_autocommit() {
            return Err(
                failure.unwrap_or_else(|| Error::engine("a closure ended the transaction").into())
            );
        }
        let kept = verdict == Verdict::Keep && failure.is_none();
        let n_changed = if kept {
            self.connection.total_changes() - changes_before
        } else {
            0
        };
        let outcome = match failure {
            Some(failure) if verdict == Verdict::Keep => Err(failure.error),
            _ => Ok(()),
        };
        Ok(Ran {
            outcome,
            kept,
            n_changed,
        })
    }

    fn commit(&self) -> Result<(), Stop> {
        self.shared
            .faults
            .pass(Point::Commit, Some(self.connection))
            .map_err(Stop::Unknown)?;
        match self.execute("COMMIT") {
            // A deferred constraint: the transaction is still open, and its owner is found job by job.
            Err(failure) if matches!(failure.error, Error::Constraint(_)) => {
                Err(self.lose(failure))
            }
            Err(failure) => Err(Stop::Unknown(failure)),
            Ok(()) => self
                .shared
                .faults
                .pass(Point::Committed, None)
                .map_err(Stop::Unknown),
        }
    }

    fn lose(&self, failure: Failure) -> Stop {
        if !self.connection.is_autocommit()
            && let Err(failure) = self.execute("ROLLBACK")
        {
            return Stop::Lost(Failure {
                broken: true,
                ..failure
            });
        }
        Stop::Lost(failure)
    }

    fn execute(&self, sql: &'static str) -> Result<(), Failure> {
        self.connection.prepare_cached(sql)?.raw_execute()?;
        Ok(())
    }
}

struct Ran {
    /// What the caller is told.
    outcome: Result<()>,
    kept: bool,
    /// Rows changed, if kept.
    n_changed: u64,
}

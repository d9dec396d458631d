//! Failures on purpose: tests choose a point, and the engine acts as if SQLite had failed there.

#[cfg(any(test, feature = "faults"))]
use std::sync::Arc;

use rusqlite::Connection;
#[cfg(any(test, feature = "faults"))]
use rusqlite::ffi;

use super::failure::Failure;
use super::options::Options;
use crate::meta::error::Result;

/// Where the engine can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(any(test, feature = "faults"), non_exhaustive)]
#[cfg_attr(
    not(any(test, feature = "faults")),
    expect(unreachable_pub, reason = "public for tests only")
)]
pub enum Point {
    /// Before a transaction begins.
    Begin,
    /// Before a statement of a closure.
    Statement,
    /// Before the commit: nothing is kept.
    Commit,
    /// After the commit: everything is kept, but the engine is told of an error.
    Committed,
    /// Before a checkpoint.
    Checkpoint,
    /// Before a connection is opened again.
    Reopen,
}

/// What goes wrong.
#[cfg(any(test, feature = "faults"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An I/O error that leaves the transaction open.
    Io,
    /// An I/O error upon which the whole transaction is rolled back, as SQLite does.
    IoAndRollback,
}

/// Decides where the engine fails.
#[cfg(any(test, feature = "faults"))]
pub trait Faults: Send + Sync {
    /// Called at each point; a fault makes the engine fail there.
    fn at(&self, point: Point) -> Option<Fault>;
}

/// The engine's side: nothing at all unless built for tests.
pub(super) struct FaultPoints {
    #[cfg(any(test, feature = "faults"))]
    faults: Option<Arc<dyn Faults>>,
}

#[cfg(any(test, feature = "faults"))]
impl FaultPoints {
    pub(super) fn of(options: &Options) -> Self {
        Self {
            faults: options.faults.clone(),
        }
    }

    pub(super) fn pass(
        &self,
        point: Point,
        connection: Option<&Connection>,
    ) -> Result<(), Failure> {
        let Some(fault) = self.faults.as_ref().and_then(|faults| faults.at(point)) else {
            return Ok(());
        };
        if let Some(connection) = connection
            && fault == Fault::IoAndRollback
            && !connection.is_autocommit()
        {
            connection.execute_batch("ROLLBACK")?;
        }
        Err(Failure::from(rusqlite::Error::SqliteFailure(
            ffi::Error::new(ffi::SQLITE_IOERR),
            None,
        )))
    }
}

#[cfg(not(any(test, feature = "faults")))]
impl FaultPoints {
    pub(super) fn of(_: &Options) -> Self {
        Self {}
    }

    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "built for tests it fails"
    )]
    pub(super) fn pass(&self, _: Point, _: Option<&Connection>) -> Result<(), Failure> {
        Ok(())
    }
}

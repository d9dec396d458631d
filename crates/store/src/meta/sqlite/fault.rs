//! Failures on purpose: tests choose a point, and the engine acts as if SQLite had failed there.

#[cfg(any(test, feature = "faults"))]
use std::sync::Arc;

use rusqlite::Connection;
#[cfg(any(test, feature = "faults"))]
use rusqlite::ffi;

use super::failure::Failure;
use super::options::Options;
use crate::meta::error::Result;
pub(super) use crate::meta::fault::Point;
#[cfg(any(test, feature = "faults"))]
use crate::meta::fault::{Fault, Faults};

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

//! Failures on purpose: tests choose a point, and the engine acts as if its connection were lost there.

#[cfg(any(test, feature = "faults"))]
use std::sync::Arc;

use super::failure::Failure;
use super::options::Options;
#[cfg(any(test, feature = "faults"))]
use crate::meta::Faults;
use crate::meta::error::Result;
pub(super) use crate::meta::fault::Point;

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

    pub(super) fn pass(&self, point: Point) -> Result<(), Failure> {
        match self.faults.as_ref().and_then(|faults| faults.at(point)) {
            Some(_) => Err(Failure::lost("on purpose")),
            None => Ok(()),
        }
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
    pub(super) fn pass(&self, _: Point) -> Result<(), Failure> {
        Ok(())
    }
}

//! Moments of this machine, by a clock that nobody sets and that goes on while it sleeps.

use std::{ops::Sub, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// A moment. It means nothing on another machine or after a start of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// Returns the present.
    pub fn now() -> Self {
        let now = clock_gettime(ClockId::Boottime);
        let seconds = Duration::from_secs(now.tv_sec.unsigned_abs());
        Self(seconds + Duration::from_nanos(now.tv_nsec.unsigned_abs()))
    }

    /// Returns the time that has passed since.
    pub fn elapsed(self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }

    /// Returns the milliseconds since this machine was started.
    pub(crate) fn as_millis(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    /// Returns the moment so long before, or that of the machine's start.
    fn sub(self, before: Duration) -> Self {
        Self(self.0.saturating_sub(before))
    }
}

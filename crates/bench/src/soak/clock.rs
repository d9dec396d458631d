//! The servers' time, which runs faster than ours from the moment that the soak begins.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const HOUR: i64 = 3_600_000;

/// When the soak began and how many times as fast time runs for the servers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    base: i64,
    rate: i64,
}

impl Clock {
    /// Starts now.
    pub(super) fn start(hours_a_second: u32) -> Self {
        Self {
            base: system(),
            rate: i64::from(hours_a_second) * 3_600,
        }
    }

    /// What the servers are told (`LONGSHORE_SOAK_CLOCK`).
    pub(super) fn setting(self) -> String {
        format!("{}:{}", self.base, self.rate)
    }

    /// The servers' time, in milliseconds since the epoch.
    pub(super) fn now(self) -> i64 {
        self.base + (system() - self.base) * self.rate
    }

    /// How many hours have passed for the servers.
    pub(super) fn hours(self) -> i64 {
        (self.now() - self.base) / HOUR
    }

    /// How long `hours` of the servers take.
    pub(super) fn real(self, hours: u32) -> Duration {
        Duration::from_hours(1) * hours / u32::try_from(self.rate).unwrap_or(1)
    }

    /// Whether fewer than `hours` have passed since `since`, a time of the servers.
    pub(super) fn is_within(self, since: i64, hours: i64) -> bool {
        self.now() - since < hours * HOUR
    }
}

fn system() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

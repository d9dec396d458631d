//! The database's clock, as this process knows it between two looks.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::meta::clock::Clock;
use crate::moment::Moment;

/// The database was not asked yet.
const NONE: i64 = i64::MIN;

/// Milliseconds on this machine that pass while it sleeps, too.
pub(super) fn local_millis() -> i64 {
    Moment::now().as_millis()
}

/// The time of the database: so far ahead of this machine's own as was seen last.
#[derive(Debug)]
pub(super) struct DatabaseClock {
    offset: AtomicI64,
}

impl Default for DatabaseClock {
    fn default() -> Self {
        Self {
            offset: AtomicI64::new(NONE),
        }
    }
}

impl DatabaseClock {
    /// Takes the database's time, which was read somewhen between two local times. What is known already stays as long
    /// as it agrees, so that the time does not tremble with the network.
    pub(super) fn observe(&self, millis: i64, sent: i64, received: i64) {
        let (least, most) = (millis - received, millis - sent);
        let offset = self.offset.load(Ordering::Relaxed);
        let agreed = if offset == NONE {
            least.midpoint(most)
        } else {
            offset.clamp(least, most.max(least))
        };
        self.offset.store(agreed, Ordering::Relaxed);
    }
}

impl Clock for DatabaseClock {
    fn system_millis(&self) -> i64 {
        local_millis() + self.offset.load(Ordering::Relaxed).max(0)
    }

    fn monotonic_millis(&self) -> Option<i64> {
        Some(local_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(clock: &DatabaseClock) -> i64 {
        clock.offset.load(Ordering::Relaxed)
    }

    #[test]
    fn an_estimate_stays_while_it_agrees() {
        let clock = DatabaseClock::default();
        clock.observe(1_000_100, 90, 110);
        assert_eq!(offset(&clock), 1_000_000);
        // A slow answer says little.
        clock.observe(1_000_500, 300, 700);
        assert_eq!(offset(&clock), 1_000_000);
        clock.observe(1_001_000, 900, 910);
        assert_eq!(offset(&clock), 1_000_090);
        // The database's clock was set back.
        clock.observe(500_000, 2_000, 2_002);
        assert_eq!(offset(&clock), 498_000);
    }
}

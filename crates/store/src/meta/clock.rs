//! The store's time: the system's clock, held back from ever running behind what is stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime};

use longshore_types::time::Timestamp;

use crate::soak;

/// How far wall time may leave the monotonic one between two looks before it is a jump, in milliseconds.
const JUMP_MILLIS: i64 = 5_000;

/// No jump seen, no offset known.
const NONE: i64 = i64::MIN;

/// A source of wall time.
pub trait Clock: Send + Sync {
    /// Returns the milliseconds since the epoch, as the system believes.
    fn system_millis(&self) -> i64;

    /// Returns milliseconds that only ever pass, where the source has such a clock; needed to see forward jumps.
    fn monotonic_millis(&self) -> Option<i64> {
        None
    }
}

/// The clock of the operating system.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn system_millis(&self) -> i64 {
        match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => {
                i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis)
            }
        }
    }

    fn monotonic_millis(&self) -> Option<i64> {
        i64::try_from(self.start.elapsed().as_millis()).ok()
    }
}

/// Time that never runs backwards, and that notices jumps.
pub(super) struct StoreClock {
    source: Arc<dyn Clock>,
    highest: AtomicI64,
    offset: AtomicI64,
    jumped_at: AtomicI64,
}

impl StoreClock {
    /// Starts no earlier than `stored`, the highest time that an earlier run kept.
    pub(super) fn new(source: Arc<dyn Clock>, stored: Timestamp) -> Self {
        Self {
            source,
            highest: AtomicI64::new(stored.as_millis()),
            offset: AtomicI64::new(NONE),
            jumped_at: AtomicI64::new(NONE),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        let system = soak::hasten(self.source.system_millis());
        self.look_for_jump(system);
        let highest = self.highest.fetch_max(system, Ordering::Relaxed);
        Timestamp::from_millis(system.max(highest))
    }

    /// From now on runs no earlier than `stored`.
    pub(super) fn raise(&self, stored: Timestamp) {
        self.highest
            .fetch_max(stored.as_millis(), Ordering::Relaxed);
    }

    /// Returns the system's own time, which may run behind [`Self::now`] and backwards.
    pub(super) fn system_now(&self) -> Timestamp {
        Timestamp::from_millis(self.source.system_millis())
    }

    /// Returns when the clock last jumped, or was behind what is stored.
    pub(super) fn jumped_at(&self) -> Option<Timestamp> {
        let millis = self.jumped_at.load(Ordering::Relaxed);
        (millis != NONE).then(|| Timestamp::from_millis(millis))
    }

    /// Notes a jump. Whoever does not see it any more, because another thread has, finds it noted.
    fn look_for_jump(&self, system: i64) {
        let highest = self.highest.load(Ordering::Relaxed);
        let monotonic = self.source.monotonic_millis();
        let offset = monotonic
            .filter(|_| !soak::is_hastened())
            .map(|monotonic| system.saturating_sub(monotonic));
        let before = self.offset.load(Ordering::Acquire);
        let left =
            |offset: i64| before != NONE && offset.abs_diff(before) > JUMP_MILLIS.unsigned_abs();
        if offset.is_some_and(left) || highest.saturating_sub(system) > soak::stretch(JUMP_MILLIS) {
            let now = system.max(highest);
            self.jumped_at.fetch_max(now, Ordering::Relaxed);
        }
        if let Some(offset) = offset {
            self.offset.store(offset, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Hands {
        system: AtomicI64,
        monotonic: AtomicI64,
    }

    impl Clock for Arc<Hands> {
        fn system_millis(&self) -> i64 {
            self.system.load(Ordering::Relaxed)
        }

        fn monotonic_millis(&self) -> Option<i64> {
            Some(self.monotonic.load(Ordering::Relaxed))
        }
    }

    fn set(hands: &Hands, system: i64, monotonic: i64) {
        hands.system.store(system, Ordering::Relaxed);
        hands.monotonic.store(monotonic, Ordering::Relaxed);
    }

    fn clock(stored: i64) -> (Arc<Hands>, StoreClock) {
        let hands = Arc::new(Hands::default());
        let clock = StoreClock::new(Arc::new(Arc::clone(&hands)), Timestamp::from_millis(stored));
        (hands, clock)
    }

    #[test]
    fn time_never_runs_backwards() {
        let (hands, clock) = clock(1_000);
        set(&hands, 400, 0);
        assert_eq!(clock.now(), Timestamp::from_millis(1_000));
        assert_eq!(clock.system_now(), Timestamp::from_millis(400));
        set(&hands, 2_000, 1_600);
        assert_eq!(clock.now(), Timestamp::from_millis(2_000));
        set(&hands, 1_990, 1_700);
        assert_eq!(clock.now(), Timestamp::from_millis(2_000));
        assert_eq!(clock.jumped_at(), None);
    }

    #[test]
    fn a_jump_forward_is_reported() {
        let (hands, clock) = clock(0);
        set(&hands, 100_000, 0);
        clock.now();
        set(&hands, 160_000, 60_000);
        clock.now();
        assert_eq!(clock.jumped_at(), None);
        set(&hands, 200_000, 60_010);
        clock.now();
        assert_eq!(clock.jumped_at(), Some(Timestamp::from_millis(200_000)));
    }

    #[test]
    fn a_clock_far_behind_what_is_stored_is_reported() {
        let (hands, clock) = clock(100_000);
        set(&hands, 50_000, 0);
        assert_eq!(clock.now(), Timestamp::from_millis(100_000));
        assert_eq!(clock.jumped_at(), Some(Timestamp::from_millis(100_000)));
    }
}

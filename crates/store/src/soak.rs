//! What the soak asks of a server that is built with the feature `soak`: time that runs faster, and guards that can be
//! switched off one at a time, to show that the soak sees the loss. Without the feature all of it is constant.

/// What keeps collection from removing what somebody needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// A positive answer is a promise: `keep_until` lies in the future.
    Promise,
    /// A file outlives its row by a grace time.
    Grace,
    /// Foreign keys, and the question whether an image references a link.
    ForeignKeys,
}

#[cfg(not(feature = "soak"))]
mod built {
    impl super::Guard {
        /// Whether it protects: always.
        pub const fn holds(self) -> bool {
            true
        }
    }

    /// How long a sweeper rests that would rest for `time`.
    pub const fn brief(time: std::time::Duration) -> std::time::Duration {
        time
    }

    /// How long something lasts in the store's time that takes processors `time`: the same.
    pub const fn lasting(time: std::time::Duration) -> std::time::Duration {
        time
    }

    /// The time that the store goes by, in milliseconds since the epoch: the system's.
    pub(crate) const fn hasten(system: i64) -> i64 {
        system
    }

    /// A time of the system, in milliseconds, as the store counts it: the same.
    pub(crate) const fn stretch(millis: i64) -> i64 {
        millis
    }

    /// How far the time that a database keeps runs ahead of its clock, which should run ahead `time`.
    pub(crate) const fn ahead(time: std::time::Duration) -> std::time::Duration {
        time
    }

    /// Whether the store's time is the system's: always.
    pub(crate) const fn is_hastened() -> bool {
        false
    }
}

#[cfg(feature = "soak")]
mod built {
    use std::{env, sync::LazyLock, time::Duration};

    /// `MILLISECONDS:RATE`: from that time since the epoch on, time runs so many times as fast.
    static CLOCK: LazyLock<Option<(i64, i64)>> = LazyLock::new(|| {
        let text = env::var("LONGSHORE_SOAK_CLOCK").ok()?;
        let (base, rate) = text.split_once(':')?;
        Some((base.parse().ok()?, rate.parse().ok()?))
    });
    /// `promise`, `grace` or `foreign-keys`.
    static WITHOUT: LazyLock<Option<String>> =
        LazyLock::new(|| env::var("LONGSHORE_SOAK_WITHOUT").ok());

    impl super::Guard {
        /// Whether it protects.
        pub fn holds(self) -> bool {
            let name = match self {
                Self::Promise => "promise",
                Self::Grace => "grace",
                Self::ForeignKeys => "foreign-keys",
            };
            WITHOUT.as_deref() != Some(name)
        }
    }

    /// How long a sweeper rests that would rest for `time`.
    pub fn brief(time: Duration) -> Duration {
        if is_hastened() {
            Duration::from_millis(50)
        } else {
            time
        }
    }

    /// How long something lasts in the store's time that takes processors `time`.
    pub fn lasting(time: Duration) -> Duration {
        CLOCK.map_or(time, |(_, rate)| time * u32::try_from(rate).unwrap_or(1))
    }

    /// The time that the store goes by, in milliseconds since the epoch.
    pub(crate) fn hasten(system: i64) -> i64 {
        match *CLOCK {
            Some((base, rate)) => {
                base.saturating_add(system.saturating_sub(base).saturating_mul(rate))
            }
            None => system,
        }
    }

    /// A time of the system, in milliseconds, as the store counts it.
    pub(crate) fn stretch(millis: i64) -> i64 {
        CLOCK.map_or(millis, |(_, rate)| millis.saturating_mul(rate))
    }

    /// How far the time that a database keeps runs ahead of its clock, which should run ahead `time`: less, or each start
    /// of a server would take hours from what was promised.
    pub(crate) fn ahead(time: Duration) -> Duration {
        if is_hastened() {
            Duration::from_millis(50)
        } else {
            time
        }
    }

    /// Whether the store's time runs apart from the system's.
    pub(crate) fn is_hastened() -> bool {
        CLOCK.is_some()
    }
}

pub(crate) use built::{ahead, hasten, is_hastened, stretch};
pub use built::{brief, lasting};

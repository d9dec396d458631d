//! Points in time, to the millisecond. Nothing here reads a clock.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since 1970-01-01T00:00:00Z, negative before it.
///
/// Arithmetic saturates. Its serde form is the one of AWS JSON 1.1: seconds as a number with fraction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Makes the point `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Returns the milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Returns the seconds since the epoch, as AWS JSON writes times.
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact to the millisecond for 280,000 years around 1970"
    )]
    pub fn as_epoch_seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Returns the point `duration` later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(whole_millis(duration)))
    }

    /// Returns the point `duration` earlier.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(whole_millis(duration)))
    }

    /// Returns how long ago `earlier` was, zero when it is later.
    pub fn since(self, earlier: Self) -> Duration {
        let millis = i128::from(self.0) - i128::from(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// Returns the time in whole seconds as ISO 8601 and RFC 3339 write it: `2026-01-31T23:59:59Z`.
    pub fn to_rfc3339(self) -> String {
        let seconds = self.0.div_euclid(1000);
        let (year, month, day) = civil(seconds.div_euclid(86_400));
        let second = seconds.rem_euclid(86_400);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "casting a float saturates, and rounding is meant"
    )]
    fn from_epoch_seconds(seconds: f64) -> Option<Self> {
        seconds
            .is_finite()
            .then(|| Self((seconds * 1000.0).round() as i64))
    }
}

/// The date of a day counted from 1970-01-01, in eras of 400 years that begin in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

fn whole_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({} ms)", self.0)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_epoch_seconds())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Self::from_epoch_seconds(seconds)
            .ok_or_else(|| serde::de::Error::custom("time is not finite"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn epoch_seconds_keep_the_milliseconds() {
        let time = Timestamp::from_millis(1_480_721_912_345);
        assert_eq!(serde_json::to_string(&time).unwrap(), "1480721912.345");
        assert_eq!(
            serde_json::from_str::<Timestamp>("1480721912.345").unwrap(),
            time
        );
        assert_eq!(
            serde_json::from_str::<Timestamp>("7").unwrap(),
            Timestamp::from_millis(7000)
        );
    }

    #[test]
    fn times_are_written_as_rfc_3339() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_704_067_199, "2023-12-31T23:59:59Z"),
            (4_102_444_800, "2100-01-01T00:00:00Z"),
        ] {
            assert_eq!(
                Timestamp::from_millis(seconds * 1000 + 7).to_rfc3339(),
                text
            );
        }
    }

    #[test]
    fn arithmetic_saturates() {
        let (first, last) = (
            Timestamp::from_millis(i64::MIN),
            Timestamp::from_millis(i64::MAX),
        );
        assert_eq!(last.plus(Duration::from_millis(1)), last);
        assert_eq!(Timestamp::from_millis(0).plus(Duration::MAX), last);
        assert_eq!(first.minus(Duration::from_secs(1)), first);
        assert_eq!(last.since(first), Duration::from_millis(u64::MAX));
        assert_eq!(first.since(last), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn plus_and_minus_undo_each_other(start in -1_i64 << 40..1_i64 << 40, millis in 0_u64..1 << 40) {
            let (start, step) = (Timestamp::from_millis(start), Duration::from_millis(millis));
            prop_assert_eq!(start.plus(step).minus(step), start);
            prop_assert_eq!(start.plus(step).since(start), step);
        }

        #[test]
        fn json_keeps_every_millisecond_of_the_next_millennia(millis in 0_i64..1 << 47) {
            let time = Timestamp::from_millis(millis);
            let json = serde_json::to_string(&time).unwrap();
            prop_assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), time);
        }
    }
}

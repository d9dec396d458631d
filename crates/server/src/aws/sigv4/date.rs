//! The two spellings of time that signatures use: ISO 8601 basic (`20150830T123600Z`) and HTTP's `Date`.

use longshore_types::time::Timestamp;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A moment in whole seconds, as it appears in a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AmzDate(i64);

impl AmzDate {
    /// Reads `20150830T123600Z`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes: &[u8; 16] = text.as_bytes().try_into().ok()?;
        if bytes[8] != b'T' || bytes[15] != b'Z' {
            return None;
        }
        let [year, month, day] = [
            number(&bytes[..4])?,
            number(&bytes[4..6])?,
            number(&bytes[6..8])?,
        ];
        let [hour, minute, second] = [
            number(&bytes[9..11])?,
            number(&bytes[11..13])?,
            number(&bytes[13..15])?,
        ];
        Self::from_parts(year, month, day, hour, minute, second)
    }

    /// Reads `Sun, 30 Aug 2015 12:36:00 GMT`.
    pub(super) fn parse_http(text: &str) -> Option<Self> {
        let mut fields = text.split_once(", ")?.1.split([' ', ':']);
        let day = number(fields.next()?.as_bytes())?;
        let month_name = fields.next()?;
        let month = (1..)
            .zip(MONTHS)
            .find_map(|(n, name)| (name == month_name).then_some(n))?;
        let mut next = || number(fields.next()?.as_bytes());
        let (year, hour, minute, second) = (next()?, next()?, next()?, next()?);
        let zone = fields.next()?;
        let in_form = zone == "GMT" && fields.next().is_none();
        in_form
            .then(|| Self::from_parts(year, month, day, hour, minute, second))
            .flatten()
    }

    fn from_parts(
        year: i64,
        month: i64,
        day: i64,
        hour: i64,
        minute: i64,
        second: i64,
    ) -> Option<Self> {
        let in_range = (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60;
        in_range.then(|| {
            Self(days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
        })
    }

    pub(super) fn now(now: Timestamp) -> Self {
        Self(now.as_millis().div_euclid(1000))
    }

    /// Returns the moment `seconds` later, or earlier when negative.
    pub(super) fn shifted(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    pub(super) fn timestamp(self) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_mul(1000))
    }

    /// Returns `20150830`.
    pub(super) fn day(self) -> String {
        let (year, month, day) = civil_from_days(self.0.div_euclid(86_400));
        format!("{year:04}{month:02}{day:02}")
    }
}

impl std::fmt::Display for AmzDate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let second = self.0.rem_euclid(86_400);
        write!(
            f,
            "{}T{:02}{:02}{:02}Z",
            self.day(),
            second / 3_600,
            second / 60 % 60,
            second % 60
        )
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    let all_digits =
        !digits.is_empty() && digits.len() <= 4 && digits.iter().all(u8::is_ascii_digit);
    all_digits.then(|| {
        digits
            .iter()
            .fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
    })
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

// Howard Hinnant's `days_from_civil`: years start in March, so that the leap day is the last one.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_spellings_name_the_same_second() {
        let iso = AmzDate::parse("20150830T123600Z").unwrap();
        assert_eq!(iso.timestamp(), Timestamp::from_millis(1_440_938_160_000));
        assert_eq!(
            AmzDate::parse_http("Sun, 30 Aug 2015 12:36:00 GMT"),
            Some(iso)
        );
        assert_eq!(iso.day(), "20150830");
    }

    #[test]
    fn impossible_dates_are_refused() {
        for text in [
            "",
            "20150830",
            "20150830T123600",
            "20150830T1236000",
            "20150830 123600Z",
            "20150832T123600Z",
            "20150229T123600Z",
            "20151330T123600Z",
            "20150830T243600Z",
            "20150830T126000Z",
            "+0150830T123600Z",
            "2015083\u{660}T12360",
        ] {
            assert_eq!(AmzDate::parse(text), None, "{text}");
        }
        for text in [
            "",
            "Sun, 30 Aug 2015",
            "Sun, 30 Aug 2015 12:36:00 CET",
            "Sun, 30 Foo 2015 12:36:00 GMT",
        ] {
            assert_eq!(AmzDate::parse_http(text), None, "{text}");
        }
    }

    #[test]
    fn the_leap_day_exists_every_fourth_year_and_not_in_1900() {
        assert!(AmzDate::parse("20240229T000000Z").is_some());
        assert!(AmzDate::parse("20000229T000000Z").is_some());
        assert!(AmzDate::parse("19000229T000000Z").is_none());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(seconds in -62_167_219_200_i64..253_402_300_800) {
            let date = AmzDate(seconds);
            prop_assert_eq!(AmzDate::parse(&date.to_string()), Some(date));
        }

        #[test]
        fn no_time_is_too_far_to_write(millis in any::<i64>()) {
            prop_assert!(!AmzDate::now(Timestamp::from_millis(millis)).to_string().is_empty());
        }
    }
}

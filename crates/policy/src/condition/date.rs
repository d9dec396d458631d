//! Dates in conditions: ISO 8601 as the W3C profiles it, or seconds since 1970.

use longshore_types::time::Timestamp;

/// Reads `YYYY-MM-DD`, with or without a time, or a number of seconds since 1970-01-01.
///
/// Years and months may stand alone (`2025-01`, but `2025` is seconds); a time has hours and minutes at least and is
/// of UTC unless it says an offset.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds: i64 = text.parse().ok()?;
        return Some(Timestamp::from_millis(seconds.checked_mul(1000)?));
    }
    let (date, time) = match text.split_once(['T', 't']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let days = days(date)?;
    let millis = time.map_or(Some(0), millis)?;
    Some(Timestamp::from_millis(days * 86_400_000 + millis))
}

/// The days from 1970-01-01 to `YYYY-MM-DD` or the first of `YYYY-MM`.
fn days(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let year = number(parts.next()?, 4)?;
    let month = number(parts.next()?, 2)?;
    let day = parts.next().map_or(Some(1), |day| number(day, 2))?;
    let valid = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !valid || parts.next().is_some() {
        return None;
    }
    // Years begin in March here, so that the leap day is their last: Howard Hinnant's `days_from_civil`.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The milliseconds from midnight UTC to a time of day with an optional offset.
fn millis(time: &str) -> Option<i64> {
    let (clock, offset) = match time.find(['Z', 'z', '+', '-']) {
        Some(end) => time.split_at_checked(end)?,
        None => (time, "Z"),
    };
    let mut parts = clock.split(':');
    let hours = number(parts.next()?, 2).filter(|hours| *hours < 24)?;
    let minutes = number(parts.next()?, 2).filter(|minutes| *minutes < 60)?;
    let seconds = parts.next().map_or(Some(0), second_millis)?;
    if parts.next().is_some() {
        return None;
    }
    Some((hours * 60 + minutes) * 60_000 + seconds - offset_millis(offset)?)
}

fn second_millis(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let seconds = number(seconds, 2).filter(|seconds| *seconds < 60)?;
    let is_fraction = (1..=9).contains(&fraction.len());
    let padded = format!("{fraction:0<3}");
    let millis = number(fraction, fraction.len()).and(number(padded.get(..3)?, 3))?;
    is_fraction.then_some(seconds * 1000 + millis)
}

fn offset_millis(text: &str) -> Option<i64> {
    let (sign, clock) = match text.split_at_checked(1)? {
        ("Z" | "z", "") => return Some(0),
        ("+", clock) => (1, clock),
        ("-", clock) => (-1, clock),
        _ => return None,
    };
    let (hours, minutes) = match clock.split_once(':') {
        Some(parts) => parts,
        None => clock
            .split_at_checked(2)
            .filter(|(_, minutes)| minutes.len() == 2)?,
    };
    let hours = number(hours, 2).filter(|hours| *hours < 24)?;
    let minutes = number(minutes, 2).filter(|minutes| *minutes < 60)?;
    Some(sign * (hours * 60 + minutes) * 60_000)
}

/// Reads exactly `n_digits` digits.
fn number(text: &str, n_digits: usize) -> Option<i64> {
    let is_number = text.len() == n_digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_and_times_are_read() {
        for (text, millis) in [
            ("0", 0),
            ("1443820800", 1_443_820_800_000),
            ("1970-01-01", 0),
            ("1970-01", 0),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2013-08-16T15:30:00Z", 1_376_667_000_000),
            ("2013-08-16T15:30Z", 1_376_667_000_000),
            ("2013-08-16t15:30:00z", 1_376_667_000_000),
            ("2013-08-16T15:30:00", 1_376_667_000_000),
            ("2013-08-16T17:30:00+02:00", 1_376_667_000_000),
            ("2013-08-16T10:00:00-0530", 1_376_667_000_000),
            ("2000-02-29T00:00:00.5Z", 951_782_400_500),
            ("2000-02-29T00:00:00.123456Z", 951_782_400_123),
        ] {
            assert_eq!(parse(text), Some(Timestamp::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "-1",
            "yesterday",
            "2013-13-01",
            "2013-00-01",
            "1900-02-29",
            "2013-04-31",
            "13-04-01",
            "2013-08-16T",
            "2013-08-16T15Z",
            "2013-08-16T24:00Z",
            "2013-08-16T15:60Z",
            "2013-08-16T15:30:60Z",
            "2013-08-16T15:30:00.Z",
            "2013-08-16T15:30:00+2",
            "2013-08-16T15:30:00ZZ",
            "2013-08-16T15:30:00é",
            "2013-08-16 15:30:00Z",
            "99999999999999999999",
            "9223372036854775807",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn days_follow_each_other(days in 0_i64..3_000_000) {
            // Walking the calendar month by month is the slow definition.
            let (mut year, mut month, mut left) = (1970, 1, days % 200_000);
            while left >= days_of(year, month) {
                left -= days_of(year, month);
                (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            }
            let text = format!("{year:04}-{month:02}-{:02}", left + 1);
            prop_assert_eq!(super::days(&text), Some(days % 200_000));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "[0-9TZz:.+-]{0,30}|\\PC{0,30}") {
            parse(&text);
        }
    }
}

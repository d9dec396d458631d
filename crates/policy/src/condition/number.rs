//! Numbers in conditions.

/// A decimal number, exact: up to 18 digits on each side of the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Decimal(i128);

const MAX_DIGITS: usize = 18;

impl Decimal {
    /// Reads digits with an optional sign and an optional fraction.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let fits = |part: &str| {
            (1..=MAX_DIGITS).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !fits(whole) || !fits(fraction) {
            return None;
        }
        let scaled: i128 = format!("{whole}{fraction:0<MAX_DIGITS$}").parse().ok()?;
        Some(Self(if negative { -scaled } else { scaled }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_and_ordered() {
        let ascending = [
            "-999999999999999999.5",
            "-2",
            "-1.5",
            "0",
            "0.000000000000000001",
            "1.05",
            "1.5",
            "2",
            "10",
            "9007199254740992",
            "9007199254740993",
        ];
        let numbers: Vec<_> = ascending
            .iter()
            .map(|text| Decimal::parse(text).unwrap())
            .collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        for (a, b) in [("-0", "0"), ("1.50", "1.5"), ("+7", "007")] {
            assert_eq!(Decimal::parse(a).unwrap(), Decimal::parse(b).unwrap());
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "-",
            "+-1",
            "1.",
            ".5",
            "1e5",
            "inf",
            "NaN",
            "0x1",
            "1 ",
            "1_000",
            "١",
            "1234567890123456789",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text:?}");
        }
    }
}

//! Ranges of bytes: those asked of a blob and those that an upload's chunk announces.

use std::fmt;
use std::str::FromStr;

/// A range of bytes that lies within something: never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByteRange {
    first: u64,
    last: u64,
}

/// What a `Range` header selects of a body (RFC 9110, section 14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of it: the header is malformed, of another unit, or names several ranges, and is ignored.
    Whole,
    /// This part of it.
    Part(ByteRange),
    /// Nothing of it.
    Unsatisfiable,
}

impl ByteRange {
    /// Makes the range of `first` to `last`, both included; none when it would be empty or of more bytes than `u64` counts.
    pub const fn new(first: u64, last: u64) -> Option<Self> {
        if first <= last && last < u64::MAX {
            Some(Self { first, last })
        } else {
            None
        }
    }

    /// Reads a `Range` header about a body of `total` bytes; the range selected lies within the body.
    pub fn parse(header: &str, total: u64) -> Selection {
        match RangeSpec::parse(header) {
            Some(spec) => spec.of(total),
            None => Selection::Whole,
        }
    }

    /// Returns the offset of the first byte.
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// Returns the offset of the last byte, which is included.
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// Returns the offset after the last byte.
    pub const fn end(&self) -> u64 {
        self.last + 1
    }

    /// Returns the number of bytes, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub const fn len(&self) -> u64 {
        self.end() - self.first
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// The one range of a `Range` header, before it meets a body.
enum RangeSpec {
    From(u64),
    Between(u64, u64),
    Last(u64),
}

impl RangeSpec {
    fn parse(header: &str) -> Option<Self> {
        let (unit, set) = header.trim_matches([' ', '\t']).split_once('=')?;
        let (first, last) = set.trim_matches([' ', '\t']).split_once('-')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        match (first, last) {
            ("", _) => Some(Self::Last(saturating(last)?)),
            (_, "") => Some(Self::From(saturating(first)?)),
            _ => {
                Some(Self::Between(saturating(first)?, saturating(last)?)).filter(Self::is_ordered)
            }
        }
    }

    fn is_ordered(&self) -> bool {
        !matches!(self, Self::Between(first, last) if first > last)
    }

    fn of(&self, total: u64) -> Selection {
        let (first, last) = match *self {
            // A body without bytes has no last ones: RFC 9110 calls this satisfiable, so it is served whole.
            Self::Last(1..) if total == 0 => return Selection::Whole,
            Self::Last(0) => return Selection::Unsatisfiable,
            Self::Last(n_bytes) => (total.saturating_sub(n_bytes), u64::MAX),
            Self::From(first) => (first, u64::MAX),
            Self::Between(first, last) => (first, last),
        };
        let end = total
            .checked_sub(1)
            .and_then(|end| ByteRange::new(first, last.min(end)));
        end.map_or(Selection::Unsatisfiable, Selection::Part)
    }
}

/// Reads digits; a number too large for `u64` is past the end of any body, whatever it is.
fn saturating(digits: &str) -> Option<u64> {
    is_digits(digits).then(|| digits.parse().unwrap_or(u64::MAX))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The bytes that a chunk of an upload says it carries, as `first-last`.
///
/// Reads the form of the OCI distribution specification and those of HTTP, `bytes first-last/total` and
/// `bytes=first-last`; the total is not kept. Invariant: first ≤ last < 2^63, so its sums do not overflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentRange(ByteRange);

/// The text is not the range of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("content range is not of the form `first-last`")]
pub struct InvalidContentRange;

impl ContentRange {
    /// Returns the offset of the chunk's first byte.
    pub const fn first(&self) -> u64 {
        self.0.first
    }

    /// Returns the offset of the chunk's last byte, which is included.
    pub const fn last(&self) -> u64 {
        self.0.last
    }

    /// Returns the number of bytes, at least one.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a chunk's range is never empty"
    )]
    pub const fn len(&self) -> u64 {
        self.0.len()
    }
}

impl FromStr for ContentRange {
    type Err = InvalidContentRange;

    fn from_str(text: &str) -> Result<Self, InvalidContentRange> {
        let text = text.trim_matches([' ', '\t']);
        let range = match text.get(..6) {
            Some(unit) if unit.eq_ignore_ascii_case("bytes ") => {
                text.get(6..).and_then(without_total)
            }
            Some(unit) if unit.eq_ignore_ascii_case("bytes=") => text.get(6..),
            _ => Some(text),
        };
        range.and_then(bounds).map(Self).ok_or(InvalidContentRange)
    }
}

/// Takes `/*` or `/digits` off the end.
fn without_total(text: &str) -> Option<&str> {
    let (range, total) = text.split_once('/')?;
    (total == "*" || is_digits(total)).then_some(range)
}

fn bounds(text: &str) -> Option<ByteRange> {
    let (first, last) = text.split_once('-')?;
    let offset = |digits: &str| digits.parse().ok().filter(|&offset: &u64| offset < 1 << 63);
    if is_digits(first) && is_digits(last) {
        ByteRange::new(offset(first)?, offset(last)?)
    } else {
        None
    }
}

impl fmt::Display for ContentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests;

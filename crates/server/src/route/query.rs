//! Query strings: bounded and percent-decoded.

use std::{
    borrow::Cow,
    fmt::{self, Display},
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The longest query string.
const MAX_BYTES: usize = 8192;
/// The most parameters.
const MAX_PARAMETERS: usize = 256;
/// What a parameter's value is written with besides letters and digits.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b':')
    .remove(b'/');

/// The parameters of a request, in their order. Their values, which may be credentials, are not printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

/// The query string is too long, has too many parameters, or is not UTF-8 when decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("query string is malformed or too long")]
pub struct InvalidQuery;

impl<'a> Query<'a> {
    /// Reads a query string. A `+` is a plus sign: no value that is asked for holds a space.
    pub fn parse(text: Option<&'a str>) -> Result<Self, InvalidQuery> {
        let text = text.unwrap_or_default();
        if text.len() > MAX_BYTES {
            return Err(InvalidQuery);
        }
        let mut pairs = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            if pairs.len() == MAX_PARAMETERS {
                return Err(InvalidQuery);
            }
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((decoded(key)?, decoded(value)?));
        }
        Ok(Self(pairs))
    }

    /// The first value of a parameter.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_ref())
    }

    /// All values of a parameter.
    pub fn all<'b>(&'b self, key: &'b str) -> impl Iterator<Item = &'b str> {
        self.0
            .iter()
            .filter(move |(name, _)| name == key)
            .map(|(_, value)| value.as_ref())
    }
}

/// Writes a value so that it can stand in a query string.
pub fn escaped(value: &str) -> impl Display {
    utf8_percent_encode(value, ESCAPED)
}

fn decoded(text: &str) -> Result<Cow<'_, str>, InvalidQuery> {
    percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| InvalidQuery)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_are_decoded_and_kept_in_order() {
        let query = Query::parse(Some("tag=a&digest=sha256%3Aab&tag=b&&flag&x=a+b")).unwrap();
        assert_eq!(query.get("digest"), Some("sha256:ab"));
        assert_eq!(query.all("tag").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(query.get("flag"), Some(""));
        assert_eq!(query.get("x"), Some("a+b"));
        assert_eq!(query.get("none"), None);
    }

    #[test]
    fn values_are_not_printed() {
        let query = Query::parse(Some("grant=hidden&X-Amz-Signature=hidden")).unwrap();
        assert_eq!(format!("{query:?}"), r#"{"grant", "X-Amz-Signature"}"#);
    }

    #[test]
    fn long_and_crowded_and_undecodable_strings_are_refused() {
        assert_eq!(
            Query::parse(Some(&"a".repeat(MAX_BYTES + 1))),
            Err(InvalidQuery)
        );
        assert_eq!(
            Query::parse(Some(&"a&".repeat(MAX_PARAMETERS + 1))),
            Err(InvalidQuery)
        );
        assert_eq!(Query::parse(Some("a=%ff")), Err(InvalidQuery));
    }

    proptest! {
        #[test]
        fn an_escaped_value_reads_back(value in "\\PC{0,60}") {
            let text = format!("last={}&n=1", escaped(&value));
            let query = Query::parse(Some(&text)).unwrap();
            prop_assert_eq!(query.get("last"), Some(value.as_str()));
        }
    }
}

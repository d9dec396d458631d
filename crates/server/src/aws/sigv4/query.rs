//! The query string, decoded once for the parameters in it and for its canonical form.

use super::error::SignatureError;

/// The largest query that is read. A presigned URL holds one session token and little else.
const MAX_QUERY: usize = 16 * 1024;

/// The decoded pairs of a query string, in their order.
pub(super) struct Query(Vec<(Vec<u8>, Vec<u8>)>);

impl Query {
    pub(super) fn parse(raw: &str) -> Result<Self, SignatureError> {
        if raw.len() > MAX_QUERY {
            return Err(SignatureError::incomplete("The query string is too long."));
        }
        let pairs = raw.split('&').filter(|pair| !pair.is_empty());
        pairs.map(decode_pair).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the value of a parameter that may be given once.
    pub(super) fn single(&self, name: &str) -> Result<Option<&str>, SignatureError> {
        let mut values = self
            .0
            .iter()
            .filter(|(key, _)| key == name.as_bytes())
            .map(|(_, value)| value);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => str::from_utf8(value).map(Some).map_err(|_| {
                SignatureError::incomplete(format!("The value of '{name}' is not valid UTF-8."))
            }),
            (Some(_), Some(_)) => Err(SignatureError::incomplete(format!(
                "The query-string parameter '{name}' must be given once."
            ))),
        }
    }

    /// Writes the pairs encoded anew and sorted, without the one named `except`.
    pub(super) fn canonical(&self, except: Option<&str>) -> String {
        let wanted = self
            .0
            .iter()
            .filter(|(key, _)| except.is_none_or(|except| key != except.as_bytes()));
        let mut pairs: Vec<_> = wanted
            .map(|(key, value)| (encoded(key, b""), encoded(value, b"")))
            .collect();
        pairs.sort_unstable();
        let pairs: Vec<_> = pairs
            .into_iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        pairs.join("&")
    }
}

fn decode_pair(pair: &str) -> Result<(Vec<u8>, Vec<u8>), SignatureError> {
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    Ok((decode(key)?, decode(value)?))
}

fn decode(text: &str) -> Result<Vec<u8>, SignatureError> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => escaped(bytes.next(), bytes.next())?,
            b'+' => b' ',
            other => other,
        });
    }
    Ok(decoded)
}

fn escaped(high: Option<u8>, low: Option<u8>) -> Result<u8, SignatureError> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    let value = digit(high)
        .zip(digit(low))
        .and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
    value.ok_or_else(|| {
        SignatureError::incomplete("The query string holds a malformed percent-encoding.")
    })
}

/// Percent-encodes everything but RFC 3986's unreserved characters and those in `also_plain`.
pub(super) fn encoded(bytes: &[u8], also_plain: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || also_plain.contains(&byte) {
            text.push(char::from(byte));
        } else {
            let digits = [
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ];
            text.extend(digits.map(char::from));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(raw: &str) -> String {
        Query::parse(raw)
            .map(|query| query.canonical(None))
            .unwrap()
    }

    #[test]
    fn pairs_are_sorted_by_their_encoded_form() {
        assert_eq!(
            canonical("b=2&a=1&a=0&a%2B=x&a-=y"),
            "a=0&a=1&a%2B=x&a-=y&b=2"
        );
        assert_eq!(canonical("Param=1&param=2"), "Param=1&param=2");
    }

    #[test]
    fn values_are_encoded_anew() {
        assert_eq!(canonical("a=%7e/+%2f"), "a=~%2F%20%2F");
        assert_eq!(canonical("flag&&x=1=2"), "flag=&x=1%3D2");
        assert_eq!(canonical(""), "");
    }

    #[test]
    fn broken_escapes_are_refused() {
        for raw in ["a=%", "a=%2", "a=%zz", "%+1=a"] {
            assert!(Query::parse(raw).is_err(), "{raw}");
        }
    }
}

//! The canonical request, up to the payload hash that ends it.

use http::{HeaderMap, Method, Uri};

use super::error::SignatureError;
use super::query::encoded;

/// Bounds of what is canonicalised; the server's own limit on the request head is usually narrower.
const MAX_PATH: usize = 8 * 1024;
const MAX_SIGNED_HEADERS: usize = 100;
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// The names in `SignedHeaders`: lower-case, sorted, each once, `host` among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignedHeaders(Vec<String>);

impl SignedHeaders {
    pub(super) fn parse(list: &str) -> Result<Self, SignatureError> {
        let mut names: Vec<_> = list
            .split(';')
            .take(MAX_SIGNED_HEADERS + 1)
            .map(str::to_ascii_lowercase)
            .collect();
        if names.len() > MAX_SIGNED_HEADERS {
            return Err(SignatureError::incomplete("Too many signed headers."));
        }
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(SignatureError::incomplete(
                "A header is named twice in 'SignedHeaders'.",
            ));
        }
        let names = Self(names);
        if !names.contain("host") {
            return Err(SignatureError::invalid(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
            ));
        }
        Ok(names)
    }

    pub(super) fn contain(&self, name: &str) -> bool {
        self.0.iter().any(|signed| signed == name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Writes the canonical request without its last line.
pub(super) fn canonical_head(
    method: &Method,
    uri: &Uri,
    query: &str,
    headers: &HeaderMap,
    signed: &SignedHeaders,
) -> Result<Vec<u8>, SignatureError> {
    if uri.path().len() > MAX_PATH {
        return Err(SignatureError::incomplete("The path is too long."));
    }
    let mut head = format!("{method}\n{}\n{query}\n", canonical_path(uri.path())).into_bytes();
    let limit = head.len() + MAX_HEADER_BYTES;
    for name in signed.names() {
        write_header(&mut head, name, uri, headers)?;
        if head.len() > limit {
            return Err(SignatureError::incomplete(
                "The signed headers are too long.",
            ));
        }
    }
    head.push(b'\n');
    head.extend_from_slice(signed.0.join(";").as_bytes());
    head.push(b'\n');
    Ok(head)
}

fn write_header(
    head: &mut Vec<u8>,
    name: &str,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), SignatureError> {
    let mut values = headers
        .get_all(name)
        .iter()
        .map(http::HeaderValue::as_bytes);
    let authority = uri
        .authority()
        .filter(|_| name == "host")
        .map(|authority| authority.as_str().as_bytes());
    // HTTP/2 carries the host in `:authority` only.
    let first = values
        .next()
        .or(authority)
        .ok_or_else(SignatureError::mismatch)?;
    if name == "host" && values.next().is_some() {
        return Err(SignatureError::incomplete(
            "The header 'Host' must be given once.",
        ));
    }
    head.extend_from_slice(name.as_bytes());
    head.push(b':');
    write_trimmed(head, first);
    for value in values {
        head.push(b',');
        write_trimmed(head, value);
    }
    head.push(b'\n');
    Ok(())
}

/// Writes the words of a value with one space between them.
fn write_trimmed(head: &mut Vec<u8>, value: &[u8]) {
    let words = value
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    for (idx, word) in words.enumerate() {
        if idx > 0 {
            head.push(b' ');
        }
        head.extend_from_slice(word);
    }
}

/// Normalises a path as every service but S3 does: dot segments and empty segments go, and what was sent is encoded
/// once more.
fn canonical_path(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    let end = if path.ends_with('/') && !segments.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{end}", encoded(segments.join("/").as_bytes(), b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_and_encoded_once_more() {
        for (sent, canonical) in [
            ("/", "/"),
            ("", "/"),
            ("//", "/"),
            ("/./", "/"),
            ("/example/..", "/"),
            ("/../../x", "/x"),
            ("/./example", "/example"),
            ("//example//", "/example/"),
            ("/a%20b", "/a%2520b"),
            ("/-._~", "/-._~"),
            ("*", "/%2A"),
        ] {
            assert_eq!(canonical_path(sent), canonical, "{sent}");
        }
    }

    #[test]
    fn header_values_are_trimmed_and_joined_in_order() {
        let mut headers = HeaderMap::new();
        headers.insert("host", "h".parse().unwrap());
        headers.append("x", "  b \t c ".parse().unwrap());
        headers.append("x", "a".parse().unwrap());
        let signed = SignedHeaders::parse("x;Host").unwrap();
        let head = canonical_head(
            &Method::POST,
            &Uri::from_static("/"),
            "q=1",
            &headers,
            &signed,
        )
        .unwrap();
        assert_eq!(
            String::from_utf8(head).unwrap(),
            "POST\n/\nq=1\nhost:h\nx:b c,a\n\nhost;x\n"
        );
    }

    #[test]
    fn an_absent_signed_header_never_verifies() {
        let signed = SignedHeaders::parse("host;x").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("host", "h".parse().unwrap());
        let head = canonical_head(&Method::GET, &Uri::from_static("/"), "", &headers, &signed);
        assert_eq!(head, Err(SignatureError::mismatch()));
    }

    #[test]
    fn the_authority_stands_in_for_the_host_header() {
        let signed = SignedHeaders::parse("host").unwrap();
        let uri = Uri::from_static("http://example.com:81/");
        let head = canonical_head(&Method::GET, &uri, "", &HeaderMap::new(), &signed).unwrap();
        assert_eq!(
            String::from_utf8(head).unwrap(),
            "GET\n/\n\nhost:example.com:81\n\nhost\n"
        );
    }
}

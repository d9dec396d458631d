//! An entry for fuzzing.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::key::SecretKey;
use super::payload::PayloadHash;
use super::request::SignedRequest;

/// Reads `data` as a target on the first line and headers on the others, and parses and verifies its signature.
pub fn fuzz_sigv4(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let Ok(uri) = Uri::try_from(lines.next().unwrap_or_default()) else {
        return;
    };
    let headers: HeaderMap = lines.take(64).filter_map(header).collect();
    let Ok(Some(request)) = SignedRequest::parse(&Method::POST, &uri, &headers) else {
        return;
    };
    let (secret, body) = (SecretKey::new("secret"), PayloadHash::of(b""));
    let verified = request.verify(&secret, body, request.signed_at());
    assert!(verified.is_err(), "nobody signs with the fuzzer's secret");
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at(colon);
    Some((
        HeaderName::from_bytes(name).ok()?,
        HeaderValue::from_bytes(value.get(1..)?).ok()?,
    ))
}

//! The signature in the query string of a presigned URL.

use http::HeaderMap;

use super::error::SignatureError;
use super::header_form::{parse_date, single};
use super::query::Query;
use super::request::Claims;

/// The longest life of a presigned URL, in seconds.
const MAX_EXPIRES: u32 = 604_800;

const NEEDED: [&str; 5] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
    "X-Amz-Date",
];

/// Tells whether a query string claims to be signed.
pub(super) fn is_signature(raw_query: &str) -> bool {
    let mut keys = raw_query
        .split('&')
        .map(|pair| pair.split_once('=').map_or(pair, |(key, _)| key));
    keys.any(|key| {
        matches!(
            key,
            "X-Amz-Algorithm" | "X-Amz-Credential" | "X-Amz-Signature"
        )
    })
}

/// Reads the parameters of a presigned URL.
pub(super) fn claims<'a>(
    query: &'a Query,
    headers: &'a HeaderMap,
) -> Result<Claims<'a>, SignatureError> {
    let mut values = [None; NEEDED.len()];
    for (value, name) in values.iter_mut().zip(NEEDED) {
        *value = query.single(name)?.filter(|value| !value.is_empty());
    }
    let [
        Some(algorithm),
        Some(credential),
        Some(signature),
        Some(signed_headers),
        Some(date),
    ] = values
    else {
        return Err(missing(values));
    };
    let session_token = query.single("X-Amz-Security-Token")?;
    let session_token = session_token.map_or_else(
        || single(headers, "x-amz-security-token"),
        |token| Ok(Some(token)),
    )?;
    Ok(Claims {
        algorithm,
        credential,
        signature,
        signed_headers,
        signed_at: parse_date(date)?,
        expires: query
            .single("X-Amz-Expires")?
            .map(parse_expires)
            .transpose()?,
        session_token,
    })
}

fn missing(values: [Option<&str>; NEEDED.len()]) -> SignatureError {
    let absent = NEEDED
        .into_iter()
        .zip(values)
        .filter(|(_, value)| value.is_none());
    let lines =
        absent.map(|(name, _)| format!("AWS query-string parameters must include '{name}'. "));
    SignatureError::incomplete(
        lines.collect::<String>() + "Re-examine the query-string parameters.",
    )
}

fn parse_expires(text: &str) -> Result<u32, SignatureError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err(SignatureError::incomplete(
            "X-Amz-Expires should be a number",
        ));
    }
    let seconds = text.parse().ok().filter(|seconds| *seconds <= MAX_EXPIRES);
    seconds.ok_or_else(|| {
        SignatureError::incomplete("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
    })
}

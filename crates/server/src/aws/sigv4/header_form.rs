//! The signature in the `Authorization` header.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};

use super::date::AmzDate;
use super::error::SignatureError;
use super::payload::PayloadHash;
use super::request::Claims;

const MAX_AUTHORIZATION: usize = 8 * 1024;

/// Returns the value of a header that may be given once, as text.
pub(super) fn single<'a>(
    headers: &'a HeaderMap,
    name: &str,
) -> Result<Option<&'a str>, SignatureError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(SignatureError::incomplete(format!(
            "The header '{name}' must be given once."
        )));
    }
    let text = value.to_str().map(str::trim).map(Some);
    text.map_err(|_| {
        SignatureError::incomplete(format!(
            "The header '{name}' holds characters that are not ASCII."
        ))
    })
}

/// Tells whether a header holds a signature of this family, whatever its algorithm.
pub(super) fn is_signature(value: &HeaderValue) -> bool {
    value.as_bytes().trim_ascii_start().starts_with(b"AWS4-")
}

/// Reads `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`; commas and spaces separate alike, as for AWS.
pub(super) fn claims(headers: &HeaderMap) -> Result<Claims<'_>, SignatureError> {
    let authorization = single(headers, "authorization")?.unwrap_or_default();
    if authorization.len() > MAX_AUTHORIZATION {
        return Err(SignatureError::incomplete(
            "The Authorization header is too long.",
        ));
    }
    let (algorithm, parameters) = authorization
        .split_once([' ', '\t', ','])
        .unwrap_or((authorization, ""));
    let parameters = Parameters::parse(parameters, authorization)?;
    let date = date(headers)?;
    let (Some(credential), Some(signature), Some(signed_headers), Some(date)) = (
        parameters.credential,
        parameters.signature,
        parameters.signed_headers,
        date,
    ) else {
        return Err(parameters.missing(date.is_none(), authorization));
    };
    let signed_at = date.parse()?;
    let session_token = single(headers, "x-amz-security-token")?;
    Ok(Claims {
        algorithm,
        credential,
        signature,
        signed_headers,
        signed_at,
        expires: None,
        session_token,
    })
}

#[derive(Default)]
struct Parameters<'a> {
    credential: Option<&'a str>,
    signature: Option<&'a str>,
    signed_headers: Option<&'a str>,
}

impl<'a> Parameters<'a> {
    fn parse(text: &'a str, authorization: &str) -> Result<Self, SignatureError> {
        let mut parameters = Self::default();
        for pair in text.split([' ', '\t', ',']).filter(|pair| !pair.is_empty()) {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(SignatureError::incomplete(format!(
                    "Invalid key=value pair (missing equal-sign) in Authorization header \
                     (hashed with SHA-256 and encoded with Base64): '{}'.",
                    hashed(authorization)
                )));
            };
            let slot = match key {
                "Credential" => &mut parameters.credential,
                "Signature" => &mut parameters.signature,
                "SignedHeaders" => &mut parameters.signed_headers,
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(SignatureError::incomplete(format!(
                    "Authorization header holds the '{key}' parameter twice."
                )));
            }
        }
        Ok(parameters.without_empty())
    }

    fn without_empty(self) -> Self {
        let present = |value: &&str| !value.is_empty();
        Self {
            credential: self.credential.filter(present),
            signature: self.signature.filter(present),
            signed_headers: self.signed_headers.filter(present),
        }
    }

    fn missing(&self, no_date: bool, authorization: &str) -> SignatureError {
        let named = [
            ("Credential", self.credential),
            ("Signature", self.signature),
            ("SignedHeaders", self.signed_headers),
        ];
        let absent = named.into_iter().filter(|(_, value)| value.is_none());
        let lines =
            absent.map(|(name, _)| format!("Authorization header requires '{name}' parameter. "));
        let mut text = lines.collect::<String>();
        if no_date {
            text += "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ";
        }
        text += "(Hashed with SHA-256 and encoded with Base64) Authorization=";
        SignatureError::incomplete(text + &hashed(authorization))
    }
}

// The header is a credential in part, so AWS repeats only its hash.
fn hashed(authorization: &str) -> String {
    STANDARD.encode(PayloadHash::of(authorization.as_bytes()).as_bytes())
}

/// Where the request's time stands.
#[derive(Clone, Copy)]
enum DateText<'a> {
    Amz(&'a str),
    Http(&'a str),
}

fn date(headers: &HeaderMap) -> Result<Option<DateText<'_>>, SignatureError> {
    if let Some(text) = single(headers, "x-amz-date")? {
        return Ok(Some(DateText::Amz(text)));
    }
    Ok(single(headers, "date")?.map(DateText::Http))
}

impl DateText<'_> {
    fn parse(self) -> Result<AmzDate, SignatureError> {
        match self {
            Self::Amz(text) => parse_date(text),
            Self::Http(text) => AmzDate::parse_http(text).map_or_else(|| parse_date(text), Ok),
        }
    }
}

/// Reads a date in ISO 8601's basic format.
pub(super) fn parse_date(text: &str) -> Result<AmzDate, SignatureError> {
    AmzDate::parse(text).ok_or_else(|| {
        SignatureError::incomplete(format!(
            "Date must be in ISO-8601 'basic format'. Got '{text}'. See http://en.wikipedia.org/wiki/ISO_8601"
        ))
    })
}

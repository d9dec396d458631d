//! Why a call is refused before its operation runs; each protocol words it in its own way.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response};
use longshore_registry::Error;

use super::sigv4::SignatureError;

/// A refusal that no protocol has worded yet.
#[derive(Debug)]
pub enum Refusal {
    /// Its signature does not hold.
    Signature(SignatureError),
    /// The registry refuses or fails.
    Registry(Error),
    /// Its body is longer than any operation needs.
    BodyTooLarge,
}

impl From<SignatureError> for Refusal {
    fn from(error: SignatureError) -> Self {
        Self::Signature(error)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Registry(error)
    }
}

/// Tells why policies denied a call, sealed for `sts:DecodeAuthorizationMessage`. AWS puts it into the texts of some
/// services; a header leaves the text as ECR's.
pub(super) fn add_encoded(response: &mut Response<Bytes>, encoded: Option<&str>) {
    const NAME: HeaderName = HeaderName::from_static("x-amzn-encoded-authorization-message");
    if let Some(value) = encoded.and_then(|text| HeaderValue::from_str(text).ok()) {
        response.headers_mut().insert(NAME, value);
    }
}

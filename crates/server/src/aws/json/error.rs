//! An error as the protocol writes it.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Response, StatusCode};
use longshore_types::constraint::InvalidParameter;
use longshore_types::id::RequestId;
use serde_json::{Map, Value};

use super::decode::ProtocolError;
use super::reply::json_response;
use crate::aws::{refusal::add_encoded, sigv4::SignatureError};

/// An error's code, status, text and further members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsError {
    code: Cow<'static, str>,
    status: StatusCode,
    message: Cow<'static, str>,
    members: Map<String, Value>,
    encoded: Option<String>,
}

impl AwsError {
    /// Makes an error without further members.
    pub fn new(
        code: impl Into<Cow<'static, str>>,
        status: StatusCode,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            code: code.into(),
            status,
            message: message.into(),
            members: Map::new(),
            encoded: None,
        }
    }

    /// Adds why policies denied the call, as whoever may decode it can read.
    #[must_use]
    pub fn with_encoded(self, encoded: Option<&str>) -> Self {
        let encoded = encoded.map(str::to_owned);
        Self { encoded, ..self }
    }

    /// Adds a member, as `InvalidLayerPartException` and `KmsException` have.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.members.insert(member.to_owned(), value.into());
        self
    }

    /// Returns the code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Writes the answer.
    ///
    /// Local decision: `x-amzn-ErrorType` repeats the code, which AWS's SDKs read before `__type`.
    pub fn into_response(self, request_id: RequestId) -> Response<Bytes> {
        let error_type = HeaderValue::from_str(&self.code);
        let mut body = self.members;
        body.insert("__type".to_owned(), self.code.into());
        body.insert("message".to_owned(), self.message.into());
        let mut response = json_response(self.status, Value::Object(body).to_string(), request_id);
        if let Ok(error_type) = error_type {
            response
                .headers_mut()
                .insert(HeaderName::from_static("x-amzn-errortype"), error_type);
        }
        add_encoded(&mut response, self.encoded.as_deref());
        response
    }
}

impl From<ProtocolError> for AwsError {
    fn from(error: ProtocolError) -> Self {
        let (code, status) = match &error {
            ProtocolError::Serialization(_) => ("SerializationException", StatusCode::BAD_REQUEST),
            ProtocolError::InvalidParameter(_) => {
                ("InvalidParameterException", StatusCode::BAD_REQUEST)
            }
            ProtocolError::UnknownOperation => ("UnknownOperationException", StatusCode::NOT_FOUND),
            ProtocolError::BodyTooLarge => (
                "RequestEntityTooLargeException",
                StatusCode::PAYLOAD_TOO_LARGE,
            ),
        };
        Self::new(code, status, error.to_string())
    }
}

impl From<InvalidParameter> for AwsError {
    fn from(error: InvalidParameter) -> Self {
        ProtocolError::InvalidParameter(error).into()
    }
}

impl From<SignatureError> for AwsError {
    fn from(error: SignatureError) -> Self {
        Self::new(error.code(), error.status(), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request_id() -> RequestId {
        "0190f3a0-0000-7000-8000-000000000001".parse().unwrap()
    }

    #[test]
    fn the_answer_carries_type_message_and_members() {
        let error = AwsError::new("InvalidLayerPartException", StatusCode::BAD_REQUEST, "gap")
            .with("lastValidByteReceived", 9);
        let response = error.into_response(request_id());
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(
            response.headers()["content-type"],
            "application/x-amz-json-1.1"
        );
        assert_eq!(
            response.headers()["x-amzn-errortype"],
            "InvalidLayerPartException"
        );
        assert_eq!(
            response.headers()["x-amzn-requestid"],
            "0190f3a0-0000-7000-8000-000000000001"
        );
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        let expected = serde_json::json!({
            "__type": "InvalidLayerPartException", "message": "gap", "lastValidByteReceived": 9
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn every_protocol_error_has_its_code_and_status() {
        for (error, code, status) in [
            (
                ProtocolError::Serialization(String::new()),
                "SerializationException",
                400,
            ),
            (
                ProtocolError::UnknownOperation,
                "UnknownOperationException",
                404,
            ),
            (
                ProtocolError::BodyTooLarge,
                "RequestEntityTooLargeException",
                413,
            ),
        ] {
            let error = AwsError::from(error);
            assert_eq!((error.code(), error.status().as_u16()), (code, status));
        }
    }

    #[test]
    fn every_signature_error_has_its_code_and_status() {
        for (error, code, status) in [
            (
                SignatureError::Missing,
                "MissingAuthenticationTokenException",
                400,
            ),
            (
                SignatureError::Incomplete(String::new()),
                "IncompleteSignature",
                403,
            ),
            (
                SignatureError::Invalid(String::new()),
                "InvalidSignatureException",
                400,
            ),
            (
                SignatureError::UnknownKey,
                "UnrecognizedClientException",
                403,
            ),
            (SignatureError::ExpiredToken, "ExpiredTokenException", 403),
        ] {
            let error = AwsError::from(error);
            assert_eq!((error.code(), error.status().as_u16()), (code, status));
        }
    }
}

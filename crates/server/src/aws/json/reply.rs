//! Answers in JSON.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use longshore_types::id::RequestId;
use serde::Serialize;

/// Writes the answer of an operation that succeeded.
pub fn success<T: Serialize>(
    output: &T,
    request_id: RequestId,
) -> Result<Response<Bytes>, serde_json::Error> {
    let body = serde_json::to_string(output)?;
    Ok(json_response(StatusCode::OK, body, request_id))
}

pub(super) fn json_response(
    status: StatusCode,
    body: String,
    request_id: RequestId,
) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-amz-json-1.1"),
    );
    if let Ok(id) = HeaderValue::from_str(&request_id.to_string()) {
        headers.insert(HeaderName::from_static("x-amzn-requestid"), id);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_is_200_with_json_and_request_id() {
        let id: RequestId = "0190f3a0-0000-7000-8000-000000000001".parse().unwrap();
        let response = success(&serde_json::json!({"a": 1}), id).unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            response.headers()["content-type"],
            "application/x-amz-json-1.1"
        );
        assert_eq!(response.headers()["x-amzn-requestid"], id.to_string());
        assert_eq!(response.body().as_ref(), br#"{"a":1}"#);
    }
}

//! Each malformed or untimely signature gets AWS's own error.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use longshore::aws::sigv4::{PayloadHash, PayloadMode, SecretKey, SignatureError, SignedRequest};
use longshore_types::time::Timestamp;

use crate::signer::{DATE_MILLIS, SECRET, Signed, Unsigned};

const NOW: Timestamp = Timestamp::from_millis(DATE_MILLIS);

fn parse(request: &Signed) -> Result<SignedRequest, SignatureError> {
    SignedRequest::parse(&request.method, &request.uri, &request.headers).map(Option::unwrap)
}

fn verify_at(request: &Signed, now: Timestamp) -> Result<(), SignatureError> {
    parse(request)?.verify(&SecretKey::new(SECRET), PayloadHash::of(&request.body), now)
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

fn code_and_text(error: &SignatureError) -> (&'static str, String) {
    (error.code(), error.to_string())
}

/// Signs a call, replaces the Authorization header, and returns the error.
fn with_authorization(authorization: &str) -> (&'static str, String) {
    let mut request = Unsigned::call().sign();
    request
        .headers
        .insert("authorization", authorization.parse().unwrap());
    code_and_text(&verify_at(&request, NOW).unwrap_err())
}

const CREDENTIAL: &str = "Credential=AKIDEXAMPLE/20261121/eu-central-1/ecr/aws4_request";

#[test]
fn each_absent_parameter_is_named() {
    let (code, text) = with_authorization("AWS4-HMAC-SHA256");
    assert_eq!(code, "IncompleteSignature");
    assert!(text.starts_with(
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. \
         Authorization header requires 'SignedHeaders' parameter. \
         (Hashed with SHA-256 and encoded with Base64) Authorization="
    ));
    let (_, text) = with_authorization(&format!(
        "AWS4-HMAC-SHA256 {CREDENTIAL}, SignedHeaders=host, Signature="
    ));
    assert!(
        text.starts_with("Authorization header requires 'Signature' parameter. (Hashed"),
        "{text}"
    );
}

#[test]
fn an_absent_date_is_named() {
    let mut request = Unsigned::call().sign();
    request.headers.remove("x-amz-date");
    let (code, text) = code_and_text(&verify_at(&request, NOW).unwrap_err());
    assert_eq!(code, "IncompleteSignature");
    assert!(text.starts_with(
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed"
    ));
}

#[test]
fn malformed_authorizations_are_incomplete() {
    let names = "SignedHeaders=content-type;host;x-amz-date;x-amz-target";
    for (authorization, start) in [
        (
            "AWS4-HMAC-SHA256 Credential".to_owned(),
            "Invalid key=value pair (missing equal-sign) in Authorization header",
        ),
        (
            format!("AWS4-HMAC-SHA512 {CREDENTIAL}, {names}, Signature=00"),
            "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA512' (only AWS4-HMAC-SHA256 for now). ",
        ),
        (
            format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE, {names}, Signature=00"),
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKIDEXAMPLE'",
        ),
        (
            format!("AWS4-HMAC-SHA256 {CREDENTIAL}, {names}, Signature=00, Signature=00"),
            "Authorization header holds the 'Signature' parameter twice.",
        ),
        (
            format!(
                "AWS4-HMAC-SHA256 {CREDENTIAL}, SignedHeaders=host;Host;x-amz-target, Signature=00"
            ),
            "A header is named twice in 'SignedHeaders'.",
        ),
        (
            format!(
                "AWS4-HMAC-SHA256 {CREDENTIAL}, SignedHeaders=host{}, Signature=00",
                ";x".repeat(200)
            ),
            "Too many signed headers.",
        ),
        (
            format!("AWS4-HMAC-SHA256 {}", "x".repeat(9000)),
            "The Authorization header is too long.",
        ),
    ] {
        let (code, text) = with_authorization(&authorization);
        assert_eq!(code, "IncompleteSignature", "{authorization}");
        assert!(text.starts_with(start), "{text}");
    }
}

#[test]
fn host_and_target_must_be_signed() {
    let (code, text) = with_authorization(&format!(
        "AWS4-HMAC-SHA256 {CREDENTIAL},SignedHeaders=x-amz-date,Signature=0"
    ));
    assert_eq!(code, "InvalidSignatureException");
    assert_eq!(
        text,
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
    );

    let mut unsigned = Unsigned::call();
    unsigned.headers.retain(|(name, _)| name != "X-Amz-Target");
    let mut request = unsigned.sign();
    assert_eq!(verify_at(&request, NOW), Ok(()));
    request
        .headers
        .insert("x-amz-target", HeaderValue::from_static("Any.Thing"));
    assert_eq!(
        verify_at(&request, NOW).unwrap_err().code(),
        "InvalidSignatureException"
    );
}

#[test]
fn spacing_of_the_authorization_is_free() {
    let mut request = Unsigned::call().sign();
    let tight = request.headers["authorization"]
        .to_str()
        .unwrap()
        .replace(", ", ",");
    let wide = tight.replace(',', " ,\t  ");
    for authorization in [tight, wide] {
        request
            .headers
            .insert("authorization", authorization.parse().unwrap());
        assert_eq!(verify_at(&request, NOW), Ok(()), "{authorization}");
    }
}

#[test]
fn a_signed_header_lives_five_minutes_either_way() {
    let request = Unsigned::call().sign();
    assert_eq!(verify_at(&request, NOW.plus(minutes(5))), Ok(()));
    assert_eq!(verify_at(&request, NOW.minus(minutes(5))), Ok(()));
    let late = verify_at(&request, NOW.plus(minutes(6))).unwrap_err();
    assert_eq!(
        code_and_text(&late),
        (
            "InvalidSignatureException",
            "Signature expired: 20261121T103000Z is now earlier than 20261121T103100Z (20261121T103600Z - 5 min.)".to_owned()
        )
    );
    let early = verify_at(&request, NOW.minus(minutes(6))).unwrap_err();
    assert_eq!(
        early.to_string(),
        "Signature not yet current: 20261121T103000Z is still later than 20261121T102900Z (20261121T102400Z + 5 min.)"
    );
}

#[test]
fn a_presigned_url_lives_as_long_as_it_says() {
    let request = Unsigned::call().presign(600);
    assert_eq!(verify_at(&request, NOW.plus(minutes(10))), Ok(()));
    let late = verify_at(&request, NOW.plus(Duration::from_secs(601))).unwrap_err();
    assert_eq!(
        late.to_string(),
        "Signature expired: 20261121T103000Z is now earlier than 20261121T103001Z (20261121T104001Z - 10 min.)"
    );
    assert_eq!(verify_at(&Unsigned::call().presign(604_800), NOW), Ok(()));
    let too_long = verify_at(&Unsigned::call().presign(604_801), NOW).unwrap_err();
    assert_eq!(too_long.code(), "IncompleteSignature");
}

#[test]
fn each_absent_query_parameter_is_named() {
    let uri = Uri::from_static("/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0");
    let error = SignedRequest::parse(&http::Method::GET, &uri, &HeaderMap::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include \
         'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters."
    );
}

#[test]
fn ambiguous_requests_are_refused() {
    let mut both = Unsigned::call().presign(60);
    both.headers.insert(
        "authorization",
        HeaderValue::from_static("AWS4-HMAC-SHA256"),
    );
    assert_eq!(
        parse(&both).unwrap_err().to_string(),
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
    );

    let mut repeated = Unsigned::call().presign(60);
    repeated.uri = format!("{}&X-Amz-Signature=0", repeated.uri)
        .parse()
        .unwrap();
    assert_eq!(parse(&repeated).unwrap_err().code(), "IncompleteSignature");

    for name in [
        "authorization",
        "x-amz-date",
        "x-amz-content-sha256",
        "x-amz-security-token",
        "host",
    ] {
        let mut request = Unsigned::call().sign();
        let value = request
            .headers
            .get(name)
            .cloned()
            .unwrap_or(HeaderValue::from_static("0"));
        let name = HeaderName::from_static(name);
        request.headers.insert(name.clone(), value.clone());
        request.headers.append(name.clone(), value);
        assert_eq!(
            parse(&request).unwrap_err().code(),
            "IncompleteSignature",
            "{name}"
        );
    }
}

#[test]
fn every_problem_of_the_scope_is_named() {
    let request = Unsigned::call().sign();
    let signed = parse(&request).unwrap();
    assert_eq!(signed.check_scope("ecr", true, NOW), Ok(()));
    assert_eq!(
        signed
            .check_scope("ecr-public", false, NOW)
            .unwrap_err()
            .to_string(),
        "Credential should be scoped to a valid region. Credential should be scoped to correct service: 'ecr-public'."
    );
    let names = "SignedHeaders=host;x-amz-target";
    let (code, text) = with_authorization(&format!(
        "AWS4-HMAC-SHA256 Credential=a/20261120/r/ecr/aws4, {names}, Signature=0"
    ));
    assert_eq!(code, "InvalidSignatureException");
    assert_eq!(
        text,
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws4'. Date in Credential scope does \
         not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261120' != '20261121', from '20261121T103000Z'."
    );
}

#[test]
fn a_declared_payload_hash_must_be_the_bodys() {
    let with_hash = |hash: &str| {
        let mut unsigned = Unsigned::call();
        unsigned
            .headers
            .push(("X-Amz-Content-Sha256".to_owned(), hash.to_owned()));
        unsigned.sign()
    };
    let right = with_hash("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    assert_eq!(verify_at(&right, NOW), Ok(()));
    assert_eq!(
        parse(&right).unwrap().payload(),
        PayloadMode::Declared(PayloadHash::of(b"{}"))
    );
    for (wrong, text) in [
        (
            &"0".repeat(64),
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ),
        (
            &"UNSIGNED-PAYLOAD".to_owned(),
            "The provided 'x-amz-content-sha256' header must be a valid SHA256.",
        ),
    ] {
        let error = verify_at(&with_hash(wrong), NOW).unwrap_err();
        assert_eq!(
            code_and_text(&error),
            ("InvalidSignatureException", text.to_owned())
        );
    }
}

#[test]
fn the_http_date_header_stands_in() {
    let mut unsigned = Unsigned::call();
    for (name, value) in &mut unsigned.headers {
        if name == "X-Amz-Date" {
            "Date".clone_into(name);
            "Sat, 21 Nov 2026 10:30:00 GMT".clone_into(value);
        }
    }
    assert_eq!(verify_at(&unsigned.sign(), NOW), Ok(()));
}

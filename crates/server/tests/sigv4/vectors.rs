//! AWS's own signed requests. See `vectors/NOTICE` for their origin.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use longshore::aws::sigv4::{PayloadHash, SecretKey, SignatureError, SignedRequest};
use longshore_types::time::Timestamp;
use serde::Deserialize;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SIGNED_AT: Timestamp = Timestamp::from_millis(1_440_938_160_000);

#[derive(Deserialize)]
struct Vector {
    name: String,
    /// Whether the path was normalised before signing; S3 alone signs it as it stands.
    normalize: bool,
    header: String,
    query: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("vectors/aws-c-auth-v4.json")).unwrap()
}

struct Request {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
}

/// Reads a request of the suite, `None` when its target cannot stand in an HTTP request (it has a space).
fn read(text: &str) -> Option<Request> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    // A folded line continues the value before it.
    let head = head.replace("\n ", " ");
    let mut lines = head.lines();
    let (method, rest) = lines.next()?.split_once(' ')?;
    let uri = rest.strip_suffix(" HTTP/1.1")?.parse().ok()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        headers.append(
            name.parse::<HeaderName>().ok()?,
            HeaderValue::from_bytes(value.as_bytes()).ok()?,
        );
    }
    Some(Request {
        method: method.parse().ok()?,
        uri,
        headers,
        body: body.to_owned(),
    })
}

fn parse(request: &Request) -> SignedRequest {
    SignedRequest::parse(&request.method, &request.uri, &request.headers)
        .unwrap()
        .unwrap()
}

fn verify(request: &Request, secret: &str) -> Result<(), SignatureError> {
    parse(request).verify(
        &SecretKey::new(secret),
        PayloadHash::of(request.body.as_bytes()),
        SIGNED_AT,
    )
}

/// Vectors that hold for another signer's rules, and why.
fn is_foreign(vector: &Vector) -> bool {
    // Signed as S3 signs: paths that normalising changes.
    !vector.normalize
}

#[test]
fn the_suite_is_whole() {
    assert_eq!(vectors().len(), 38);
    assert_eq!(
        vectors().iter().filter(|vector| is_foreign(vector)).count(),
        7
    );
    let unreadable: Vec<_> = vectors()
        .into_iter()
        .filter(|v| read(&v.header).is_none())
        .map(|v| v.name)
        .collect();
    assert_eq!(
        unreadable,
        ["get-space-normalized", "get-space-unnormalized"]
    );
}

#[test]
fn every_signed_header_of_the_suite_verifies() {
    for vector in vectors().iter().filter(|vector| !is_foreign(vector)) {
        let Some(request) = read(&vector.header) else {
            continue;
        };
        assert_eq!(verify(&request, SECRET), Ok(()), "{}", vector.name);
        assert!(
            verify(&request, "another secret").is_err(),
            "{}",
            vector.name
        );
    }
}

#[test]
fn every_presigned_url_of_the_suite_verifies() {
    for vector in vectors().iter().filter(|vector| !is_foreign(vector)) {
        let Some(request) = read(&vector.query) else {
            continue;
        };
        let verified = verify(&request, SECRET);
        if vector.name == "post-sts-header-after" {
            // The token was added after signing, which a presigned URL of the services here never does.
            assert_eq!(verified.unwrap_err().code(), "InvalidSignatureException");
        } else {
            assert_eq!(verified, Ok(()), "{}", vector.name);
            assert!(
                verify(&request, "another secret").is_err(),
                "{}",
                vector.name
            );
        }
    }
}

#[test]
fn a_path_signed_without_normalising_does_not_verify() {
    for vector in vectors().iter().filter(|vector| is_foreign(vector)) {
        let Some(request) = read(&vector.header) else {
            continue;
        };
        assert_eq!(
            verify(&request, SECRET).unwrap_err().code(),
            "InvalidSignatureException",
            "{}",
            vector.name
        );
    }
}

#[test]
fn the_token_is_found_in_both_forms() {
    let vectors = vectors();
    let vector = vectors
        .iter()
        .find(|vector| vector.name == "get-vanilla-with-session-token")
        .unwrap();
    for text in [&vector.header, &vector.query] {
        let signed = parse(&read(text).unwrap());
        assert_eq!(
            signed.session_token(),
            Some("6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267")
        );
        assert_eq!(signed.access_key_id(), "AKIDEXAMPLE");
        assert_eq!(signed.credential().date(), "20150830");
        assert_eq!(signed.credential().region(), "us-east-1");
        assert_eq!(signed.credential().service(), "service");
        assert_eq!(signed.signed_at(), SIGNED_AT);
    }
}

#[test]
fn any_changed_byte_of_the_body_is_refused() {
    let vectors = vectors();
    let vector = vectors
        .iter()
        .find(|vector| vector.name == "post-x-www-form-urlencoded")
        .unwrap();
    let mut request = read(&vector.header).unwrap();
    request.body.push(' ');
    assert_eq!(
        verify(&request, SECRET).unwrap_err().code(),
        "InvalidSignatureException"
    );
}

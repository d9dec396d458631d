//! Whatever the independent signer signs verifies, and nothing else does.

use http::{HeaderName, HeaderValue};
use longshore::aws::sigv4::{
    PayloadHash, SecretKey, SignatureError, SignedRequest, SigningKeyCache, fuzz_sigv4,
};
use longshore_types::time::Timestamp;
use proptest::prelude::*;

use crate::signer::{DATE, DATE_MILLIS, KEY_ID, SECRET, Signed, Unsigned};

const NOW: Timestamp = Timestamp::from_millis(DATE_MILLIS);

fn verify(request: &Signed, secret: &str) -> Result<(), SignatureError> {
    let signed = SignedRequest::parse(&request.method, &request.uri, &request.headers)?.unwrap();
    signed.verify(&SecretKey::new(secret), PayloadHash::of(&request.body), NOW)
}

prop_compose! {
    fn unsigned()(
        path in "(/[a-zA-Z0-9%_~@:,-]{1,8}){0,3}/?",
        query in prop::collection::vec(("[a-zA-Z0-9 +/=&%é~-]{1,6}", "\\PC{0,8}"), 0..5),
        extra in prop::collection::vec(("x-[a-c]{1,2}", "[ -~]{0,20}"), 0..6),
        body in prop::collection::vec(any::<u8>(), 0..64),
    ) -> Unsigned {
        let mut request = Unsigned::call();
        request.path = format!("/{}", path.trim_start_matches('/'));
        request.query = query;
        request.headers.extend(extra);
        request.body = body;
        request
    }
}

proptest! {
    #[test]
    fn what_is_signed_verifies(request in unsigned()) {
        prop_assert_eq!(verify(&request.clone().sign(), SECRET), Ok(()));
        prop_assert_eq!(verify(&request.presign(3600), SECRET), Ok(()));
    }

    #[test]
    fn another_secret_never_verifies(request in unsigned(), secret in "[ -~]{0,40}") {
        prop_assume!(secret != SECRET);
        prop_assert!(verify(&request.sign(), &secret).is_err());
    }

    #[test]
    fn a_changed_body_or_header_is_refused(request in unsigned(), byte in any::<u8>()) {
        let mut body_grown = request.clone().sign();
        body_grown.body.push(byte);
        prop_assert_eq!(verify(&body_grown, SECRET), Err(mismatch()));

        let mut target_changed = request.clone().sign();
        target_changed.headers.insert("x-amz-target", HeaderValue::from_static("Other.Operation"));
        prop_assert_eq!(verify(&target_changed, SECRET), Err(mismatch()));

        let mut value_added = request.sign();
        value_added.headers.append("content-type", HeaderValue::from_static("text/plain"));
        prop_assert_eq!(verify(&value_added, SECRET), Err(mismatch()));
    }

    #[test]
    fn headers_that_were_not_signed_do_not_matter(request in unsigned(), value in "[ -~]{0,20}") {
        let mut request = request.sign();
        request.headers.insert(HeaderName::from_static("y-late"), value.parse().unwrap());
        prop_assert_eq!(verify(&request, SECRET), Ok(()));
    }

    #[test]
    fn any_bytes_are_read_without_panic(data in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz_sigv4(&data);
    }

    #[test]
    fn nearly_valid_signatures_are_read_without_panic(
        target in "/[!-~]{0,30}",
        authorization in "AWS4-HMAC-SHA256 (Credential=|SignedHeaders=|Signature=|host|a/b/c/d/aws4_request|[ ,;/=]){0,12}",
        date in "(2026112[0-9]T103000Z|[0-9TZ]{0,17})",
        presigned in "[&=%/A-Za-z0-9-]{0,60}",
    ) {
        fuzz_sigv4(format!("{target}\nhost:h\nauthorization:{authorization}\nx-amz-date:{date}").as_bytes());
        let query = format!("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a/{}/r/s/aws4_request&X-Amz-Date={DATE}\
             &X-Amz-SignedHeaders=host&X-Amz-Signature=a&{presigned}", &DATE[..8]);
        fuzz_sigv4(format!("/?{query}\nhost:h").as_bytes());
    }

    #[test]
    fn the_cache_decides_as_plain_verification_does(secrets in prop::collection::vec(0_u8..3, 1..12)) {
        let cache = SigningKeyCache::new(1);
        let request = Unsigned::call().sign();
        let signed = SignedRequest::parse(&request.method, &request.uri, &request.headers).unwrap().unwrap();
        for secret in secrets {
            let secret = if secret == 0 { SECRET.to_owned() } else { format!("secret {secret}") };
            let cached = cache.verify(&signed, &SecretKey::new(secret.as_str()), PayloadHash::of(&request.body), NOW);
            prop_assert_eq!(cached, verify(&request, &secret));
        }
    }
}

fn mismatch() -> SignatureError {
    SignatureError::Invalid(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details."
            .to_owned(),
    )
}

#[test]
fn an_unsigned_request_is_none() {
    let mut request = Unsigned::call().sign();
    request.headers.remove("authorization");
    let parsed = SignedRequest::parse(&request.method, &request.uri, &request.headers);
    assert!(parsed.unwrap().is_none());
    request
        .headers
        .insert("authorization", HeaderValue::from_static("Basic QVdTOng="));
    let parsed = SignedRequest::parse(&request.method, &request.uri, &request.headers);
    assert!(parsed.unwrap().is_none());
}

#[test]
fn names_of_signed_headers_are_told() {
    let request = Unsigned::call().sign();
    let signed = SignedRequest::parse(&request.method, &request.uri, &request.headers)
        .unwrap()
        .unwrap();
    let names: Vec<_> = signed.signed_headers().collect();
    assert_eq!(
        names,
        ["content-type", "host", "x-amz-date", "x-amz-target"]
    );
    assert_eq!(signed.access_key_id(), KEY_ID);
}

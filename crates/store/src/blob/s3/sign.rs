//! AWS Signature Version 4, as S3 wants it: the path is encoded once and the hash of the body is a header.

use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use http::Method;
use longshore_types::time::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but what RFC 3986 leaves unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Signs requests with one access key.
pub(super) struct Signer {
    pub(super) region: String,
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
    pub(super) session_token: Option<String>,
}

/// A request to sign.
#[derive(Debug)]
pub(super) struct Unsigned<'a> {
    pub(super) method: &'a Method,
    pub(super) host: &'a str,
    /// In its encoded form.
    pub(super) path: &'a str,
    /// As [`query`] wrote it.
    pub(super) query: &'a str,
    /// Further headers, with names in lower case.
    pub(super) headers: &'a [(&'static str, String)],
    pub(super) payload_sha256: [u8; 32],
}

impl Signer {
    /// Returns the headers that the request is to carry besides its own and `host`.
    pub(super) fn sign(
        &self,
        request: &Unsigned<'_>,
        now: Timestamp,
    ) -> Vec<(&'static str, String)> {
        let time = basic_time(now);
        let day = time.split('T').next().unwrap_or_default();
        let mut added = vec![
            ("x-amz-content-sha256", hex(&request.payload_sha256)),
            ("x-amz-date", time.clone()),
        ];
        if let Some(token) = &self.session_token {
            added.push(("x-amz-security-token", token.clone()));
        }
        let mut headers: Vec<(&str, &str)> = vec![("host", request.host)];
        let own = request.headers.iter().chain(&added);
        headers.extend(own.map(|(name, value)| (*name, value.as_str())));
        headers.sort_unstable();
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let mut canonical = format!("{}\n{}\n{}\n", request.method, request.path, request.query);
        for (name, value) in headers {
            canonical.extend([name, ":", value.trim(), "\n"]);
        }
        canonical.extend(["\n", &names, "\n", &hex(&request.payload_sha256)]);
        let scope = self.scope(day);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={}",
            self.access_key_id,
            self.signature(&time, &scope, &canonical)
        );
        added.push(("authorization", authorization));
        added
    }

    /// Returns the query of a URL by which the object at `path`, in its encoded form, can be read until `lifetime` from now.
    pub(super) fn presign(
        &self,
        host: &str,
        path: &str,
        now: Timestamp,
        lifetime: Duration,
    ) -> String {
        let time = basic_time(now);
        let day = time.split('T').next().unwrap_or_default();
        let scope = self.scope(day);
        let credential = format!("{}/{scope}", self.access_key_id);
        let seconds = lifetime.as_secs().to_string();
        let mut pairs = vec![
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", &time),
            ("X-Amz-Expires", &seconds),
            ("X-Amz-SignedHeaders", "host"),
        ];
        if let Some(token) = &self.session_token {
            pairs.push(("X-Amz-Security-Token", token));
        }
        let query = query(&pairs);
        let canonical = format!("GET\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
        let signature = self.signature(&time, &scope, &canonical);
        format!("{query}&X-Amz-Signature={signature}")
    }

    fn scope(&self, day: &str) -> String {
        format!("{day}/{}/s3/aws4_request", self.region)
    }

    fn signature(&self, time: &str, scope: &str, canonical: &str) -> String {
        let hash = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}");
        let first = format!("AWS4{}", self.secret_access_key).into_bytes();
        let key = scope.split('/').fold(first, |key, part| mac(&key, part));
        hex(&mac(&key, &text))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

fn basic_time(time: Timestamp) -> String {
    let time = time.to_rfc3339();
    time.chars().filter(|c| !matches!(c, '-' | ':')).collect()
}

/// Writes a query in the order and encoding in which it is signed.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let encoded = |text| utf8_percent_encode(text, RESERVED).to_string();
    let mut pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    pairs.sort_unstable();
    pairs.join("&")
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let written = write!(text, "{byte:02x}");
        debug_assert!(written.is_ok(), "writing to a string does not fail");
    }
    text
}

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> Signer {
        Signer {
            region: "us-east-1".to_owned(),
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
        }
    }

    fn signature(request: &Unsigned<'_>) -> String {
        // 2013-05-24T00:00:00Z, as in the examples of S3's documentation.
        let signed = signer().sign(request, Timestamp::from_millis(1_369_353_600_000));
        let (_, authorization) = signed.last().unwrap();
        authorization.rsplit_once('=').unwrap().1.to_owned()
    }

    fn empty() -> [u8; 32] {
        digest(&SHA256, b"").as_ref().try_into().unwrap()
    }

    #[test]
    fn a_ranged_get_is_signed_as_documented() {
        let signature = signature(&Unsigned {
            method: &Method::GET,
            host: "examplebucket.s3.amazonaws.com",
            path: "/test.txt",
            query: "",
            headers: &[("range", "bytes=0-9".to_owned())],
            payload_sha256: empty(),
        });
        assert_eq!(
            signature,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
    }

    #[test]
    fn a_list_is_signed_as_documented() {
        let signature = signature(&Unsigned {
            method: &Method::GET,
            host: "examplebucket.s3.amazonaws.com",
            path: "/",
            query: &query(&[("prefix", "J"), ("max-keys", "2")]),
            headers: &[],
            payload_sha256: empty(),
        });
        assert_eq!(
            signature,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }

    #[test]
    fn a_url_is_signed_as_documented() {
        let query = signer().presign(
            "examplebucket.s3.amazonaws.com",
            "/test.txt",
            Timestamp::from_millis(1_369_353_600_000),
            Duration::from_hours(24),
        );
        assert_eq!(
            query,
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
    }

    #[test]
    fn values_of_a_query_are_encoded() {
        assert_eq!(
            query(&[("uploads", ""), ("b", "a/b+c=~ ä")]),
            "b=a%2Fb%2Bc%3D~%20%C3%A4&uploads="
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        assert!(!format!("{:?}", signer()).contains("wJalr"));
    }
}

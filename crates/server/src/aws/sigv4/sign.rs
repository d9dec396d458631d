//! Signing a request of our own, by the rules that others' are verified by.

use http::{HeaderValue, request::Parts};
use longshore_types::time::Timestamp;

use super::canonical::{SignedHeaders, canonical_head};
use super::credential::Credential;
use super::date::AmzDate;
use super::error::SignatureError;
use super::key::{SecretKey, SigningKey};
use super::payload::PayloadHash;
use super::request::{ALGORITHM, string_to_sign};

/// Who signs, and for what.
#[derive(Debug)]
pub struct Signer<'a> {
    /// The id of the access key.
    pub access_key_id: &'a str,
    /// Its secret.
    pub secret: &'a SecretKey,
    /// The Region that is called.
    pub region: &'a str,
    /// The service that is called, such as `ecr`.
    pub service: &'a str,
}

impl Signer<'_> {
    /// Adds `X-Amz-Date` and `Authorization` to a request without a query, and signs all of its headers. `Host` must be
    /// among them, and a session token if there is one.
    pub fn sign(
        &self,
        head: &mut Parts,
        body: PayloadHash,
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        let now = AmzDate::now(now);
        head.headers.insert("x-amz-date", ascii(&now.to_string())?);
        let credential = Credential::new(self.access_key_id, &now.day(), self.region, self.service);
        let names: Vec<&str> = head.headers.keys().map(http::HeaderName::as_str).collect();
        let signed = SignedHeaders::parse(&names.join(";"))?;
        let canonical = canonical_head(&head.method, &head.uri, "", &head.headers, &signed)?;
        let string = string_to_sign(&canonical, body, now, &credential);
        let signature = SigningKey::derive(self.secret, &credential).sign(string.as_bytes());
        let names: Vec<&str> = signed.names().collect();
        let authorization = format!(
            "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={signature}",
            self.access_key_id,
            credential.scope(),
            names.join(";")
        );
        head.headers
            .insert(http::header::AUTHORIZATION, ascii(&authorization)?);
        Ok(())
    }
}

fn ascii(text: &str) -> Result<HeaderValue, SignatureError> {
    HeaderValue::from_str(text)
        .map_err(|_| SignatureError::incomplete("The access key id is not plain text."))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::super::SignedRequest;
    use super::*;

    #[test]
    fn what_is_signed_verifies_and_what_is_changed_does_not() {
        let secret = SecretKey::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let signer = Signer {
            access_key_id: "AKIDEXAMPLE",
            secret: &secret,
            region: "eu-central-1",
            service: "ecr",
        };
        let now = Timestamp::from_millis(1_440_938_160_123);
        let request = Request::post("/")
            .header("Host", "registry.example:5050")
            .header("X-Amz-Target", "Service.Operation")
            .header("X-Amz-Security-Token", "token");
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let body = PayloadHash::of(b"{}");
        signer.sign(&mut head, body, now).unwrap();
        let parse = |head: &Parts| {
            let parsed = SignedRequest::parse(&head.method, &head.uri, &head.headers);
            parsed.unwrap().unwrap()
        };
        let signed = parse(&head);
        signed.check_scope("ecr", true, now).unwrap();
        signed.verify(&secret, body, now).unwrap();
        assert_eq!(signed.session_token(), Some("token"));
        assert!(signed.verify(&secret, PayloadHash::of(b"[]"), now).is_err());
        let other = HeaderValue::from_static("Service.Another");
        head.headers.insert("X-Amz-Target", other);
        assert!(parse(&head).verify(&secret, body, now).is_err());
    }
}

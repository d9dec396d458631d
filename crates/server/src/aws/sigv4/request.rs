//! A signed request: what it claims, and whether that holds.

use http::{HeaderMap, Method, Uri};
use longshore_types::time::Timestamp;

use super::canonical::{SignedHeaders, canonical_head};
use super::credential::Credential;
use super::date::AmzDate;
use super::error::SignatureError;
use super::key::{SecretKey, SigningKey};
use super::payload::{PayloadHash, PayloadMode};
use super::query::Query;
use super::{header_form, query_form};

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// How far a signature's time may lie from the server's, in seconds.
const SKEW: i64 = 5 * 60;

/// What both forms of a signature say, still as text where text decides later.
pub(super) struct Claims<'a> {
    pub(super) algorithm: &'a str,
    pub(super) credential: &'a str,
    pub(super) signature: &'a str,
    pub(super) signed_headers: &'a str,
    pub(super) signed_at: AmzDate,
    pub(super) expires: Option<u32>,
    pub(super) session_token: Option<&'a str>,
}

/// The head of a signed request. It owns what it needs, so that the body can be read before it is verified.
#[derive(Clone)]
pub struct SignedRequest {
    credential: Credential,
    signed_headers: SignedHeaders,
    signed_at: AmzDate,
    expires: Option<u32>,
    session_token: Option<String>,
    payload: PayloadMode,
    signature: String,
    canonical_head: Vec<u8>,
}

impl SignedRequest {
    /// Reads the signature of a request; `None` when it carries none.
    pub fn parse(
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Option<Self>, SignatureError> {
        let raw_query = uri.query().unwrap_or_default();
        let in_query = query_form::is_signature(raw_query);
        let in_header = headers
            .get_all("authorization")
            .iter()
            .any(header_form::is_signature);
        if in_query && headers.contains_key("authorization") {
            return Err(SignatureError::invalid(
                "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
            ));
        }
        if !in_query && !in_header {
            return Ok(None);
        }
        let query = Query::parse(raw_query)?;
        let claims = if in_query {
            query_form::claims(&query, headers)
        } else {
            header_form::claims(headers)
        }?;
        let canonical_query = query.canonical(in_query.then_some("X-Amz-Signature"));
        Self::new(&claims, method, uri, &canonical_query, headers).map(Some)
    }

    fn new(
        claims: &Claims<'_>,
        method: &Method,
        uri: &Uri,
        canonical_query: &str,
        headers: &HeaderMap,
    ) -> Result<Self, SignatureError> {
        let signed_headers = SignedHeaders::parse(claims.signed_headers)?;
        if claims.algorithm != ALGORITHM {
            return Err(SignatureError::incomplete(format!(
                "Unsupported AWS 'algorithm': '{}' (only {ALGORITHM} for now). ",
                claims.algorithm
            )));
        }
        let credential = Credential::parse(claims.credential)?;
        // Unsigned, it would let anyone who sees a request turn it into another operation.
        if headers.contains_key("x-amz-target") && !signed_headers.contain("x-amz-target") {
            return Err(SignatureError::mismatch());
        }
        Ok(Self {
            credential,
            signed_at: claims.signed_at,
            expires: claims.expires,
            session_token: claims.session_token.map(str::to_owned),
            payload: PayloadMode::parse(headers)?,
            signature: claims.signature.to_owned(),
            canonical_head: canonical_head(method, uri, canonical_query, headers, &signed_headers)?,
            signed_headers,
        })
    }

    /// Returns the id of the access key that signed.
    pub fn access_key_id(&self) -> &str {
        self.credential.access_key_id()
    }

    /// Returns the access key id and the scope that was signed for.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Returns the names of the signed headers, in lower case and sorted.
    pub fn signed_headers(&self) -> impl Iterator<Item = &str> {
        self.signed_headers.names()
    }

    /// Returns when the request was signed, as it claims.
    pub fn signed_at(&self) -> Timestamp {
        self.signed_at.timestamp()
    }

    /// Returns the session token, which is the caller's to check against the access key.
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// Returns what the request says of its body's hash.
    pub fn payload(&self) -> PayloadMode {
        self.payload
    }

    /// Checks all that needs neither secret nor body: time, date and terminator, and the scope against the `service`
    /// addressed and a Region that is served. Lets a caller refuse before it reads a body.
    pub fn check_scope(
        &self,
        service: &str,
        is_region_valid: bool,
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        self.check_time(now)?;
        let mut problems = Vec::new();
        if !is_region_valid {
            problems.push("Credential should be scoped to a valid region.".to_owned());
        }
        if self.credential.service() != service {
            problems.push(format!(
                "Credential should be scoped to correct service: '{service}'."
            ));
        }
        problems.extend(self.credential.problems(self.signed_at));
        refuse_if_any(&problems)
    }

    /// Verifies the signature over the head and `body`, deriving the signing key anew.
    pub fn verify(
        &self,
        secret: &SecretKey,
        body: PayloadHash,
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        self.verify_with(&SigningKey::derive(secret, &self.credential), body, now)
    }

    pub(super) fn verify_with(
        &self,
        key: &SigningKey,
        body: PayloadHash,
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        self.check_time(now)?;
        refuse_if_any(&self.credential.problems(self.signed_at))?;
        let string = string_to_sign(&self.canonical_head, body, self.signed_at, &self.credential);
        if !key.signs(string.as_bytes(), self.signature.as_bytes()) {
            return Err(SignatureError::mismatch());
        }
        self.payload.check(body)
    }

    fn check_time(&self, now: Timestamp) -> Result<(), SignatureError> {
        let now = AmzDate::now(now);
        let signed_at = self.signed_at;
        let life = self.expires.map_or(SKEW, i64::from);
        let earliest = now.shifted(-life);
        if signed_at < earliest {
            return Err(SignatureError::invalid(format!(
                "Signature expired: {signed_at} is now earlier than {earliest} ({now} - {} min.)",
                life / 60
            )));
        }
        let latest = now.shifted(SKEW);
        if signed_at > latest {
            return Err(SignatureError::invalid(format!(
                "Signature not yet current: {signed_at} is still later than {latest} ({now} + {} min.)",
                SKEW / 60
            )));
        }
        Ok(())
    }
}

/// What the signing key signs of a request.
pub(super) fn string_to_sign(
    canonical_head: &[u8],
    body: PayloadHash,
    signed_at: AmzDate,
    credential: &Credential,
) -> String {
    let request = [canonical_head, body.hex().as_bytes()].concat();
    let hash = PayloadHash::of(&request).hex();
    format!("{ALGORITHM}\n{signed_at}\n{}\n{hash}", credential.scope())
}

// The signature and the token are credentials while they last.
impl std::fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedRequest")
            .field("credential", &self.credential)
            .field("signed_headers", &self.signed_headers)
            .field("signed_at", &self.signed_at)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

fn refuse_if_any(problems: &[String]) -> Result<(), SignatureError> {
    if problems.is_empty() {
        Ok(())
    } else {
        Err(SignatureError::invalid(problems.join(" ")))
    }
}

//! Secrets, the signing keys derived from them, and a small cache of those.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use longshore_types::time::Timestamp;

use super::credential::Credential;
use super::error::SignatureError;
use super::payload::PayloadHash;
use super::request::SignedRequest;

/// The secret part of an access key. Never printed, compared in constant time.
#[derive(Clone)]
pub struct SecretKey(Arc<str>);

impl SecretKey {
    /// Takes a secret access key.
    pub fn new(secret: impl Into<Arc<str>>) -> Self {
        Self(secret.into())
    }

    fn is(&self, other: &Self) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), other.0.as_bytes()).is_ok()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// The key that signs the requests of one access key in one scope.
#[derive(Clone)]
pub(super) struct SigningKey(Arc<hmac::Key>);

impl SigningKey {
    pub(super) fn derive(secret: &SecretKey, credential: &Credential) -> Self {
        let start = format!("AWS4{}", secret.0);
        let date = hmac_sha256(start.as_bytes(), credential.date());
        let region = hmac_sha256(date.as_ref(), credential.region());
        let service = hmac_sha256(region.as_ref(), credential.service());
        let signing = hmac_sha256(service.as_ref(), "aws4_request");
        Self(Arc::new(hmac::Key::new(
            hmac::HMAC_SHA256,
            signing.as_ref(),
        )))
    }

    /// Returns the lower-case hexadecimal MAC of `message`.
    pub(super) fn sign(&self, message: &[u8]) -> String {
        super::payload::hex(hmac::sign(&self.0, message).as_ref())
    }

    /// Tells whether `signature` is the lower-case hexadecimal MAC of `message`, in constant time.
    pub(super) fn signs(&self, message: &[u8], signature: &[u8]) -> bool {
        let expected = self.sign(message);
        verify_slices_are_equal(expected.as_bytes(), signature).is_ok()
    }
}

fn hmac_sha256(key: &[u8], message: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes())
}

/// Keeps the signing keys of recent callers, so that a request costs one MAC instead of five.
///
/// Holds at most twice its capacity. It never decides: a key is used only for the secret it was derived from, which
/// the caller has just read, and only keys that verified a request enter.
pub struct SigningKeyCache {
    capacity: usize,
    generations: Mutex<Generations>,
}

// Two generations stand in for least-recently-used order: a full young one replaces the old one.
#[derive(Default)]
struct Generations {
    young: HashMap<Credential, Entry>,
    old: HashMap<Credential, Entry>,
}

#[derive(Clone)]
struct Entry {
    secret: SecretKey,
    key: SigningKey,
}

impl SigningKeyCache {
    /// Makes an empty cache that keeps at least the `capacity` keys used last.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            generations: Mutex::default(),
        }
    }

    /// Verifies as [`SignedRequest::verify`] does, deriving the signing key only when it is not kept.
    pub fn verify(
        &self,
        request: &SignedRequest,
        secret: &SecretKey,
        body: PayloadHash,
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        let credential = request.credential();
        let kept = self.find(credential, secret);
        let key = kept.unwrap_or_else(|| SigningKey::derive(secret, credential));
        request.verify_with(&key, body, now)?;
        self.keep(
            credential,
            Entry {
                secret: secret.clone(),
                key,
            },
        );
        Ok(())
    }

    fn find(&self, credential: &Credential, secret: &SecretKey) -> Option<SigningKey> {
        let generations = self.lock();
        let entry = generations
            .young
            .get(credential)
            .or_else(|| generations.old.get(credential))?;
        entry.secret.is(secret).then(|| entry.key.clone())
    }

    fn keep(&self, credential: &Credential, entry: Entry) {
        let mut generations = self.lock();
        if generations
            .young
            .get(credential)
            .is_some_and(|kept| kept.secret.is(&entry.secret))
        {
            return;
        }
        if generations.young.len() >= self.capacity {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(credential.clone(), entry);
    }

    // A panic elsewhere cannot leave the maps half-changed in a way that matters: every entry is whole.
    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SigningKeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeyCache")
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

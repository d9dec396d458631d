//! A provider's key set (RFC 7517): the keys that can sign tokens, by their ids.

use std::collections::HashMap;

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// The most keys that a set may have.
const MAX_KEYS: usize = 100;

/// A public key, and the one algorithm that it verifies.
#[derive(Clone, Debug)]
pub struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// The keys of a provider that this server can use.
#[derive(Debug)]
pub(super) struct KeySet(HashMap<String, Key>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// A key as it is published. What is missing or of a foreign form makes the key unusable, not the set.
#[derive(Deserialize)]
struct Published {
    kid: String,
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set; `None` when it is none, or has too many keys.
    pub(super) fn parse(document: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(document).ok()?;
        if document.keys.len() > MAX_KEYS {
            return None;
        }
        let mut keys = HashMap::new();
        for value in document.keys {
            if let Ok(published) = serde_json::from_value::<Published>(value)
                && let Some(key) = published.key()
            {
                keys.entry(published.kid).or_insert(key);
            }
        }
        Some(Self(keys))
    }

    pub(super) fn get(&self, kid: &str) -> Option<&Key> {
        self.0.get(kid)
    }
}

impl Published {
    /// The key, if it is for signatures and of a kind that tokens may be signed with.
    fn key(&self) -> Option<Key> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let (algorithm, name, key) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", None) => (
                Algorithm::RS256,
                "RS256",
                DecodingKey::from_rsa_components(self.n.as_deref()?, self.e.as_deref()?),
            ),
            ("EC", Some("P-256")) => (
                Algorithm::ES256,
                "ES256",
                DecodingKey::from_ec_components(self.x.as_deref()?, self.y.as_deref()?),
            ),
            _ => return None,
        };
        let fits = self.alg.as_deref().is_none_or(|alg| alg == name);
        fits.then(|| key.ok())
            .flatten()
            .map(|key| Key { algorithm, key })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(keys: &Value) -> Option<KeySet> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn only_signing_keys_of_the_two_algorithms_are_kept() {
        let keys = set(&json!([
            { "kid": "rsa", "kty": "RSA", "n": "AQAB", "e": "AQAB" },
            { "kid": "ec", "kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB", "use": "sig", "alg": "ES256" },
            { "kid": "encryption", "kty": "RSA", "n": "AQAB", "e": "AQAB", "use": "enc" },
            { "kid": "other algorithm", "kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "PS256" },
            { "kid": "other curve", "kty": "EC", "crv": "P-384", "x": "AQAB", "y": "AQAB" },
            { "kid": "symmetric", "kty": "oct", "k": "AQAB" },
            { "kid": "incomplete", "kty": "RSA", "n": "AQAB" },
            { "kid": "not base64", "kty": "RSA", "n": "!", "e": "AQAB" },
            { "kty": "RSA", "n": "AQAB", "e": "AQAB" },
            "not a key",
        ]))
        .unwrap();
        let mut ids: Vec<&str> = keys.0.keys().map(String::as_str).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["ec", "rsa"]);
    }

    #[test]
    fn the_first_key_of_an_id_stays() {
        let keys = set(&json!([
            { "kid": "k", "kty": "RSA", "n": "AQAB", "e": "AQAB" },
            { "kid": "k", "kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB" },
        ]));
        assert_eq!(keys.unwrap().get("k").unwrap().algorithm, Algorithm::RS256);
    }

    #[test]
    fn too_many_keys_are_none() {
        let key =
            |at: usize| json!({ "kid": at.to_string(), "kty": "RSA", "n": "AQAB", "e": "AQAB" });
        let keys = |count: usize| (0..count).map(key).collect::<Value>();
        assert!(set(&keys(MAX_KEYS)).is_some());
        assert!(set(&keys(MAX_KEYS + 1)).is_none());
        assert!(KeySet::parse(b"{}").is_none());
        assert!(KeySet::parse(b"[]").is_none());
    }
}

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use bytes::Bytes;
use longshore_types::time::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const URL: &str = "https://issuer.example/tenant";
const NOW: i64 = 1_800_000_000;

/// A provider with an RSA key `r` and an elliptic one `e`, whose documents can be changed.
#[derive(Debug)]
struct Provider {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
    documents: Mutex<HashMap<String, Result<Bytes, FetchError>>>,
    fetched: Mutex<Vec<String>>,
}

#[async_trait]
impl Fetch for Provider {
    async fn get(&self, url: &str, _: &[String]) -> Result<Bytes, FetchError> {
        self.fetched.lock().unwrap().push(url.to_owned());
        tokio::task::yield_now().await;
        let documents = self.documents.lock().unwrap();
        documents
            .get(url)
            .cloned()
            .unwrap_or(Err(FetchError::Status(404)))
    }
}

impl Provider {
    fn new() -> Arc<Self> {
        let provider = Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            documents: Mutex::default(),
            fetched: Mutex::default(),
        };
        let keys = json!([provider.rsa_jwk("r"), provider.ec_jwk("e")]);
        provider.publish(&keys);
        Arc::new(provider)
    }

    fn publish(&self, keys: &Value) {
        let discovery = json!({ "issuer": URL, "jwks_uri": "https://keys.example/jwks" });
        self.put(
            &format!("{URL}/.well-known/openid-configuration"),
            &discovery,
        );
        self.put("https://keys.example/jwks", &json!({ "keys": keys }));
    }

    fn put(&self, url: &str, document: &Value) {
        let document = Ok(Bytes::from(document.to_string()));
        self.documents
            .lock()
            .unwrap()
            .insert(url.to_owned(), document);
    }

    fn fail(&self, error: &FetchError) {
        for document in self.documents.lock().unwrap().values_mut() {
            *document = Err(error.clone());
        }
    }

    fn fetches(&self) -> usize {
        self.fetched.lock().unwrap().len()
    }

    fn rsa_jwk(&self, kid: &str) -> Value {
        let key = self.rsa.public_key();
        let part = |bytes: &[u8]| BASE64.encode(bytes);
        json!({ "kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256",
            "n": part(key.modulus().big_endian_without_leading_zero()),
            "e": part(key.exponent().big_endian_without_leading_zero()) })
    }

    fn ec_jwk(&self, kid: &str) -> Value {
        let (x, y) = self.ec.public_key().as_ref()[1..].split_at(32);
        json!({ "kty": "EC", "kid": kid, "crv": "P-256", "x": BASE64.encode(x), "y": BASE64.encode(y) })
    }

    fn rs256(&self, header: &Value, claims: &Value) -> String {
        sign(header, claims, |message| {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            let rng = SystemRandom::new();
            self.rsa
                .sign(&RSA_PKCS1_SHA256, &rng, message, &mut signature)
                .unwrap();
            signature
        })
    }

    fn es256(&self, header: &Value, claims: &Value) -> String {
        sign(header, claims, |message| {
            self.ec
                .sign(&SystemRandom::new(), message)
                .unwrap()
                .as_ref()
                .to_vec()
        })
    }
}

fn sign(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| BASE64.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = BASE64.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn now() -> Timestamp {
    Timestamp::from_millis(NOW * 1000)
}

fn issuer() -> Issuer {
    Issuer {
        url: URL.to_owned(),
        thumbprints: Vec::new(),
    }
}

fn claims() -> Value {
    json!({ "iss": URL, "aud": "sts.amazonaws.com", "sub": "repo:team/app:ref:refs/heads/main",
        "iat": NOW, "exp": NOW + 300 })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

/// Does what STS does with a token: `Err` carries the text for the client.
async fn accept(issuers: &Issuers, token: &str) -> Result<Claims, String> {
    let unverified = Unverified::parse(token).map_err(|error| error.to_string())?;
    assert_eq!(unverified.issuer(), URL);
    let key = issuers.key(&issuer(), unverified.kid(), now()).await;
    let key = key.map_err(|error| error.to_string())?;
    let claims = unverified.verify(&key).map_err(|error| error.to_string())?;
    let clients = ["sts.amazonaws.com".to_owned(), "other".to_owned()];
    claims
        .check(&clients, now())
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn both_algorithms_are_verified() {
    let provider = Provider::new();
    let issuers = Issuers::new(provider.clone());
    let token = provider.rs256(
        &json!({ "alg": "RS256", "kid": "r", "typ": "JWT" }),
        &claims(),
    );
    let accepted = accept(&issuers, &token).await.unwrap();
    assert_eq!(
        accepted.subject().unwrap(),
        "repo:team/app:ref:refs/heads/main"
    );
    assert_eq!(accepted.audience(), "sts.amazonaws.com");
    let token = provider.es256(&json!({ "alg": "ES256", "kid": "e" }), &claims());
    accept(&issuers, &token).await.unwrap();
    assert_eq!(provider.fetches(), 2, "the keys are fetched once");
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let (provider, stranger) = (Provider::new(), Provider::new());
    stranger.put(
        "https://stranger.example/jwks",
        &json!({ "keys": [stranger.rsa_jwk("r")] }),
    );
    let issuers = Issuers::new(provider.clone());
    let none = |header: &Value| sign(header, &claims(), |_| Vec::new());
    let public = provider.rsa_jwk("r")["n"].as_str().unwrap().to_owned();
    let hmac = |message: &[u8]| {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, public.as_bytes());
        aws_lc_rs::hmac::sign(&key, message).as_ref().to_vec()
    };
    let forged = [
        stranger.rs256(&json!({ "alg": "RS256", "kid": "r" }), &claims()),
        stranger.rs256(&json!({ "alg": "RS256", "kid": "stranger" }), &claims()),
        stranger.rs256(&json!({ "alg": "RS256" }), &claims()),
        stranger.rs256(
            &json!({ "alg": "RS256", "kid": "r", "jku": "https://stranger.example/jwks" }),
            &claims(),
        ),
        stranger.rs256(
            &json!({ "alg": "RS256", "kid": "r", "jwk": stranger.rsa_jwk("r") }),
            &claims(),
        ),
        stranger.rs256(
            &json!({ "alg": "RS256", "kid": "r", "x5u": "https://stranger.example" }),
            &claims(),
        ),
        stranger.rs256(
            &json!({ "alg": "RS256", "kid": "r", "x5c": ["AQAB"] }),
            &claims(),
        ),
        stranger.rs256(&json!({ "alg": "RS256", "kid": "../../r" }), &claims()),
        provider.rs256(
            &json!({ "alg": "RS256", "kid": "r", "crit": ["b64"], "b64": true }),
            &claims(),
        ),
        // The right key under the other's name, and the other algorithm under the right key's.
        provider.rs256(&json!({ "alg": "RS256", "kid": "e" }), &claims()),
        provider.es256(&json!({ "alg": "RS256", "kid": "r" }), &claims()),
        provider.rs256(&json!({ "alg": "RS384", "kid": "r" }), &claims()),
        provider.rs256(&json!({ "alg": "PS256", "kid": "r" }), &claims()),
        sign(&json!({ "alg": "HS256", "kid": "r" }), &claims(), hmac),
        none(&json!({ "alg": "none", "kid": "r" })),
        none(&json!({ "alg": "None", "kid": "r" })),
        none(&json!({ "alg": "RS256", "kid": "r" })),
        none(&json!({ "kid": "r" })),
    ];
    for token in forged {
        let refused = accept(&issuers, &token).await;
        refused.expect_err(&token);
    }
    let fetched = provider.fetched.lock().unwrap();
    let own = |url: &String| url.starts_with(URL) || url == "https://keys.example/jwks";
    assert!(fetched.iter().all(own), "{fetched:?}");
}

#[tokio::test]
async fn changed_tokens_are_refused() {
    let provider = Provider::new();
    let issuers = Issuers::new(provider.clone());
    let token = provider.rs256(&json!({ "alg": "RS256", "kid": "r" }), &claims());
    let parts: Vec<&str> = token.split('.').collect();
    let other = with("sub", json!("repo:stranger/app"));
    let payload = BASE64.encode(other.to_string());
    for token in [
        format!("{}.{payload}.{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{token}."),
        format!("{token}="),
        format!("{}.{}", parts[0], parts[1]),
        "AQAB".to_owned(),
        String::new(),
        "a".repeat(MAX_TOKEN + 1),
    ] {
        let refused = match Unverified::parse(&token) {
            Ok(_) => accept(&issuers, &token).await.map(drop),
            Err(error) => Err(error.to_string()),
        };
        assert!(refused.is_err(), "{token}");
    }
}

#[tokio::test]
async fn claims_must_fit() {
    let provider = Provider::new();
    let issuers = Issuers::new(provider.clone());
    let cases = [
        (claims(), None),
        (with("aud", json!(["x", "other"])), None),
        (with("azp", json!("unknown")), None),
        (with("exp", json!(NOW - 59)), None),
        (with("iat", json!(NOW + 60)), None),
        (with("iat", json!(1.5)), None),
        (with("nbf", json!(NOW)), None),
        (with("aud", json!("x")), Some("Incorrect token audience")),
        (with("aud", json!(["x"])), Some("Incorrect token audience")),
        (with("aud", json!([])), Some("Incorrect token audience")),
        (
            with("aud", json!({ "other": "other" })),
            Some("Incorrect token audience"),
        ),
        (
            with("exp", json!(NOW - 60)),
            Some(
                "Token expired: current date/time 1800000000 must be before the expiration date/time 1799999940",
            ),
        ),
        (
            with("exp", Value::Null),
            Some("Missing a required claim: exp"),
        ),
        (
            with("exp", json!("2000000000")),
            Some("Missing a required claim: exp"),
        ),
        (
            with("iat", Value::Null),
            Some("Missing a required claim: iat"),
        ),
        (with("iat", json!(NOW + 61)), Some("Token is not valid yet")),
        (with("nbf", json!(NOW + 61)), Some("Token is not valid yet")),
        (
            with("nbf", json!("soon")),
            Some("Missing a required claim: nbf"),
        ),
        (
            with("sub", Value::Null),
            Some("Missing a required claim: sub"),
        ),
        (
            with("sub", json!("")),
            Some("Missing a required claim: sub"),
        ),
        (
            with("sub", json!("s".repeat(256))),
            Some("Missing a required claim: sub"),
        ),
    ];
    for (claims, expected) in cases {
        let token = provider.rs256(&json!({ "alg": "RS256", "kid": "r" }), &claims);
        let refused = accept(&issuers, &token).await.err();
        assert_eq!(refused.as_deref(), expected, "{claims}");
    }
}

#[tokio::test]
async fn keys_are_fetched_once_for_all_who_wait() {
    let provider = Provider::new();
    let issuers = Issuers::new(provider.clone());
    let issuer = issuer();
    let ask = || issuers.key(&issuer, "r", now());
    let (a, b, c) = tokio::join!(ask(), ask(), ask());
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(provider.fetches(), 2);
}

/// Takes every question and answers none.
#[derive(Debug)]
struct Silent;

#[async_trait]
impl Fetch for Silent {
    async fn get(&self, _: &str, _: &[String]) -> Result<Bytes, FetchError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_keeps_nobody_from_the_others() {
    let issuers = Arc::new(Issuers::new(Arc::new(Silent)));
    let ask = |issuer: Issuer| {
        let issuers = issuers.clone();
        tokio::spawn(async move { issuers.key(&issuer, "k", now()).await.map(drop) })
    };
    let settle = async || {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    };
    let waiting: Vec<_> = (0..600).map(|_| ask(issuer())).collect();
    settle().await;
    let refused = waiting.iter().filter(|asked| asked.is_finished()).count();
    assert_eq!(refused, 600 - 128);
    let other = Issuer {
        url: "https://other.example".to_owned(),
        ..issuer()
    };
    let other = ask(other);
    settle().await;
    assert!(!other.is_finished(), "{:?}", other.await);
}

#[tokio::test]
async fn a_new_key_is_found_and_an_unknown_one_does_not_make_the_server_fetch_again_and_again() {
    let provider = Provider::new();
    let issuers = Issuers::new(provider.clone());
    let issuer = issuer();
    let at = |seconds: u64| now().plus(Duration::from_secs(seconds));
    issuers.key(&issuer, "r", at(0)).await.unwrap();
    for kid in ["new", "x", "y", "z"] {
        let unknown = issuers.key(&issuer, kid, at(14)).await;
        assert_eq!(unknown.unwrap_err(), NoKey::Unknown);
    }
    assert_eq!(provider.fetches(), 2);
    provider.publish(&json!([provider.rsa_jwk("new")]));
    issuers.key(&issuer, "new", at(15)).await.unwrap();
    assert_eq!(provider.fetches(), 4);
    let gone = issuers.key(&issuer, "r", at(15)).await;
    assert_eq!(gone.unwrap_err(), NoKey::Unknown);
}

#[tokio::test]
async fn keys_outlive_an_outage_of_their_provider_but_not_for_ever() {
    let provider = Provider::new();
    let issuers = Issuers::new(provider.clone());
    let issuer = issuer();
    let at = |minutes: u64| now().plus(Duration::from_mins(minutes));
    issuers.key(&issuer, "r", at(0)).await.unwrap();
    provider.fail(&FetchError::Status(500));
    for minute in [1, 14, 15, 30, 59] {
        issuers.key(&issuer, "r", at(minute)).await.unwrap();
    }
    let ended = issuers.key(&issuer, "r", at(60)).await;
    assert_eq!(ended.unwrap_err(), NoKey::Fetch(FetchError::Status(500)));
    let fetches = provider.fetches();
    issuers.key(&issuer, "r", at(60)).await.unwrap_err();
    assert_eq!(provider.fetches(), fetches, "a failure is remembered");
}

#[tokio::test]
async fn a_discovery_document_speaks_for_its_own_issuer_only() {
    let provider = Provider::new();
    let url = format!("{URL}/.well-known/openid-configuration");
    for (discovery, seconds) in [
        (
            json!({ "issuer": "https://issuer.example", "jwks_uri": "https://keys.example/jwks" }),
            0,
        ),
        (json!({ "issuer": URL }), 100),
        (json!([]), 200),
    ] {
        provider.put(&url, &discovery);
        let issuers = Issuers::new(provider.clone());
        let at = now().plus(Duration::from_secs(seconds));
        assert_eq!(
            issuers.key(&issuer(), "r", at).await.unwrap_err(),
            NoKey::Unknown
        );
    }
}

#[tokio::test]
async fn another_trust_is_another_provider() {
    let provider = Provider::new();
    let issuers = Issuers::new(provider.clone());
    issuers.key(&issuer(), "r", now()).await.unwrap();
    let other = Issuer {
        thumbprints: vec!["0".repeat(40)],
        ..issuer()
    };
    issuers.key(&other, "r", now()).await.unwrap();
    assert_eq!(provider.fetches(), 4);
}

async fn keys_of(claims: Value) -> Vec<(String, Vec<String>)> {
    let provider = Provider::new();
    let issuers = Issuers::new(provider.clone());
    let token = provider.rs256(&json!({ "alg": "RS256", "kid": "r" }), &claims);
    let mut keys = accept(&issuers, &token)
        .await
        .unwrap()
        .keys("issuer.example/tenant");
    keys.sort();
    keys
}

fn value<'a>(keys: &'a [(String, Vec<String>)], claim: &str) -> &'a [String] {
    let name = format!("issuer.example/tenant:{claim}");
    let found = keys.iter().find(|(key, _)| *key == name);
    found.map_or(&[], |(_, values)| values)
}

#[tokio::test]
async fn the_claims_of_github_gitlab_and_kubernetes_become_condition_keys() {
    let mut github = claims();
    github["repository"] = json!("team/app");
    github["repository_id"] = json!("74");
    github["job_workflow_ref"] = json!("team/app/.github/workflows/ci.yml@refs/heads/main");
    github["environment"] = json!("production");
    let keys = keys_of(github).await;
    assert_eq!(value(&keys, "sub"), ["repo:team/app:ref:refs/heads/main"]);
    assert_eq!(value(&keys, "aud"), ["sts.amazonaws.com"]);
    assert_eq!(value(&keys, "repository"), ["team/app"]);
    assert_eq!(value(&keys, "environment"), ["production"]);

    let mut gitlab = with(
        "sub",
        json!("project_path:team/app:ref_type:branch:ref:main"),
    );
    gitlab["project_id"] = json!("22");
    gitlab["ref_protected"] = json!("true");
    gitlab["groups_direct"] = json!(["team", "team/sub"]);
    let keys = keys_of(gitlab).await;
    assert_eq!(value(&keys, "project_id"), ["22"]);
    assert_eq!(value(&keys, "groups_direct"), ["team", "team/sub"]);

    let mut kubernetes = with("sub", json!("system:serviceaccount:ci:builder"));
    kubernetes["aud"] = json!(["sts.amazonaws.com"]);
    kubernetes["kubernetes.io"] = json!({ "namespace": "ci",
        "serviceaccount": { "name": "builder", "uid": "u" }, "warnafter": 5 });
    let keys = keys_of(kubernetes).await;
    assert_eq!(value(&keys, "kubernetes.io/namespace"), ["ci"]);
    assert_eq!(
        value(&keys, "kubernetes.io/serviceaccount/name"),
        ["builder"]
    );
    assert_eq!(value(&keys, "aud"), ["sts.amazonaws.com"]);
    assert_eq!(value(&keys, "iss"), [""; 0]);
    assert_eq!(value(&keys, "exp"), [""; 0]);
}

#[tokio::test]
async fn the_authorized_party_is_the_audience_of_conditions() {
    let keys = keys_of(with("azp", json!("party"))).await;
    assert_eq!(value(&keys, "aud"), ["party"]);
    assert_eq!(value(&keys, "azp"), ["party"]);
    assert_eq!(value(&keys, "oaud"), ["sts.amazonaws.com"]);
}

#[tokio::test]
async fn a_provider_can_set_session_tags_and_the_source_identity() {
    let provider = Provider::new();
    let issuers = Issuers::new(provider.clone());
    let mut claims = with("https://aws.amazon.com/source_identity", json!("alice"));
    claims["https://aws.amazon.com/tags"] = json!({ "principal_tags": { "team": ["a"], "cost": "7" },
        "transitive_tag_keys": ["team"] });
    claims["email"] = json!("alice@example.com");
    let token = provider.rs256(&json!({ "alg": "RS256", "kid": "r" }), &claims);
    let claims = accept(&issuers, &token).await.unwrap();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        claims.session_tags(),
        [pair("cost", "7"), pair("team", "a")]
    );
    assert_eq!(claims.transitive_tag_keys(), ["team"]);
    assert_eq!(claims.source_identity(), Some("alice"));
    let kept = claims.session_keys("issuer.example/tenant");
    let names: Vec<&str> = kept
        .iter()
        .filter_map(|(key, _)| key.split(':').nth(1))
        .collect();
    assert_eq!(names, ["aud", "oaud", "sub"]);
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in ".{0,200}", parts in prop::collection::vec("[a-zA-Z0-9_=-]{0,40}", 0..5)) {
        for token in [text, parts.join(".")] {
            let _ = Unverified::parse(&token);
        }
    }

    #[test]
    fn no_document_breaks_the_key_set(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}:,\"kidtyRSAEC0-9]{0,200}") {
        let _ = super::keys::KeySet::parse(&bytes);
        let _ = super::keys::KeySet::parse(text.as_bytes());
    }

    #[test]
    fn no_claims_are_both_wrong_and_accepted(exp in any::<i64>(), iat in any::<i64>(), aud in "[a-z]{1,3}|sts") {
        let claims = json!({ "sub": "s", "aud": aud, "exp": exp, "iat": iat });
        let claims = Claims::new(claims.as_object().unwrap().clone());
        let accepted = claims.check(&["sts".to_owned()], now()).is_ok();
        let holds = aud == "sts" && exp > NOW - 60 && iat <= NOW + 60;
        prop_assert_eq!(accepted, holds);
    }
}

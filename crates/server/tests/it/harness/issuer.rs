//! An OpenID Connect provider of a test's own: real HTTPS, a certificate of a CA of its own, and keys that sign tokens.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    digest,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use super::image::hex;

/// What it answers, by path.
type Pages = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// A running provider with an RSA key `rsa` and an elliptic one `ec`.
#[derive(Debug)]
pub(crate) struct Issuer {
    address: SocketAddr,
    ca: CertifiedIssuer<'static, KeyPair>,
    pages: Pages,
    asked: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (pages, asked) = (Pages::default(), Arc::default());
        let serving = tokio::spawn(serve(
            socket,
            acceptor(&ca),
            pages.clone(),
            Arc::clone(&asked),
        ));
        let issuer = Self {
            address,
            ca,
            pages,
            asked,
            serving,
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
        };
        issuer.publish();
        issuer
    }

    /// Its host and port, which is what IAM calls it.
    pub(crate) fn name(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.name())
    }

    /// Writes the certificate of its CA.
    pub(crate) fn write_ca(&self, path: &Path) {
        std::fs::write(path, self.ca.pem()).unwrap();
    }

    /// The SHA-1 of the certificate of its CA.
    pub(crate) fn thumbprint(&self) -> String {
        hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, self.ca.der()).as_ref())
    }

    /// How often a document was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|other| *other == path).count()
    }

    /// Answers a path with these very bytes, head included.
    pub(crate) fn answer(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.pages
            .lock()
            .unwrap()
            .insert(path.to_owned(), bytes.into());
    }

    pub(crate) fn put(&self, path: &str, document: &Value) {
        let body = document.to_string();
        let length = body.len();
        self.answer(
            path,
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"),
        );
    }

    fn publish(&self) {
        let url = self.url();
        let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        self.put("/.well-known/openid-configuration", &discovery);
        self.put(
            "/keys",
            &json!({ "keys": [self.rsa_key("rsa"), self.ec_key("ec")] }),
        );
    }

    pub(crate) fn rsa_key(&self, kid: &str) -> Value {
        let key = self.rsa.public_key();
        let part = |bytes: &[u8]| BASE64.encode(bytes);
        json!({ "kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256",
            "n": part(key.modulus().big_endian_without_leading_zero()),
            "e": part(key.exponent().big_endian_without_leading_zero()) })
    }

    fn ec_key(&self, kid: &str) -> Value {
        let (x, y) = self.ec.public_key().as_ref()[1..].split_at(32);
        json!({ "kty": "EC", "kid": kid, "crv": "P-256", "x": BASE64.encode(x), "y": BASE64.encode(y) })
    }

    /// Claims that are good for five minutes.
    pub(crate) fn claims(&self, subject: &str) -> Value {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        json!({ "iss": self.url(), "aud": "sts.amazonaws.com", "sub": subject, "iat": now, "exp": now + 300 })
    }

    /// A token for `sts.amazonaws.com` about `subject`.
    pub(crate) fn token(&self, subject: &str) -> String {
        self.sign(&self.claims(subject))
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.rs256(
            &json!({ "alg": "RS256", "kid": "rsa", "typ": "JWT" }),
            claims,
        )
    }

    pub(crate) fn rs256(&self, header: &Value, claims: &Value) -> String {
        signed(header, claims, |message| {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            let rng = SystemRandom::new();
            self.rsa
                .sign(&RSA_PKCS1_SHA256, &rng, message, &mut signature)
                .unwrap();
            signature
        })
    }

    pub(crate) fn es256(&self, header: &Value, claims: &Value) -> String {
        signed(header, claims, |message| {
            self.ec
                .sign(&SystemRandom::new(), message)
                .unwrap()
                .as_ref()
                .to_vec()
        })
    }
}

/// A token whose signature is what `sign` makes of it.
pub(crate) fn signed(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| BASE64.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = BASE64.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// A certificate for `localhost`, sent with that of its CA.
fn acceptor(ca: &CertifiedIssuer<'static, KeyPair>) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, ca).unwrap();
    let chain = vec![certificate.der().clone(), ca.der().clone()];
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::Pkcs8(key.serialize_der().into()));
    TlsAcceptor::from(Arc::new(config.unwrap()))
}

/// Answers one request a connection.
async fn serve(
    socket: TcpListener,
    acceptor: TlsAcceptor,
    pages: Pages,
    asked: Arc<Mutex<Vec<String>>>,
) {
    loop {
        let (stream, _) = socket.accept().await.unwrap();
        let (acceptor, pages, asked) = (acceptor.clone(), pages.clone(), asked.clone());
        tokio::spawn(async move {
            // Who does not trust the certificate goes away.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => return,
                }
            }
            let head = String::from_utf8(head).unwrap();
            let path = head.split(' ').nth(1).unwrap().to_owned();
            let page = pages.lock().unwrap().get(&path).cloned();
            asked.lock().unwrap().push(path);
            let missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec();
            let _ = stream.write_all(&page.unwrap_or(missing)).await;
            let _ = stream.shutdown().await;
        });
    }
}

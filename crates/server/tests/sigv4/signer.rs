//! A signer written apart from the verifier: the specification's words, with no shared code.

use aws_lc_rs::{digest, hmac};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

pub(crate) const KEY_ID: &str = "AKIDEXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub(crate) const DATE: &str = "20261121T103000Z";
/// `DATE` in milliseconds.
pub(crate) const DATE_MILLIS: i64 = 1_795_257_000_000;

/// A request that is to be signed.
#[derive(Debug, Clone)]
pub(crate) struct Unsigned {
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Signed {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Unsigned {
    /// Returns what a client sends for `GetAuthorizationToken`.
    pub(crate) fn call() -> Self {
        let headers = [
            ("Host", "localhost:5050"),
            ("Content-Type", "application/x-amz-json-1.1"),
            (
                "X-Amz-Target",
                "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
            ),
            ("X-Amz-Date", DATE),
        ];
        let headers = headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        Self {
            path: "/".to_owned(),
            query: Vec::new(),
            headers,
            body: b"{}".to_vec(),
        }
    }

    /// Signs with the `Authorization` header.
    pub(crate) fn sign(self) -> Signed {
        let (names, signature) = self.signature(&self.query);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={KEY_ID}/{}, SignedHeaders={names}, Signature={signature}",
            scope()
        );
        let mut signed = self.send();
        signed
            .headers
            .insert("authorization", authorization.parse().unwrap());
        signed
    }

    /// Signs into the query string.
    pub(crate) fn presign(mut self, expires: u32) -> Signed {
        self.headers.retain(|(name, _)| name != "X-Amz-Date");
        let add = |query: &mut Vec<(String, String)>, name: &str, value: String| {
            query.push((name.to_owned(), value));
        };
        add(
            &mut self.query,
            "X-Amz-Algorithm",
            "AWS4-HMAC-SHA256".to_owned(),
        );
        add(
            &mut self.query,
            "X-Amz-Credential",
            format!("{KEY_ID}/{}", scope()),
        );
        add(&mut self.query, "X-Amz-Date", DATE.to_owned());
        add(&mut self.query, "X-Amz-Expires", expires.to_string());
        let names = self.signed_names();
        add(&mut self.query, "X-Amz-SignedHeaders", names);
        let (_, signature) = self.signature(&self.query);
        add(&mut self.query, "X-Amz-Signature", signature);
        self.send()
    }

    fn signed_names(&self) -> String {
        let mut names: Vec<_> = self
            .headers
            .iter()
            .map(|(name, _)| name.to_lowercase())
            .collect();
        names.sort();
        names.dedup();
        names.join(";")
    }

    fn signature(&self, query: &[(String, String)]) -> (String, String) {
        let names = self.signed_names();
        let mut lines = vec![
            "POST".to_owned(),
            quote(&self.path, "/"),
            canonical_query(query),
        ];
        for name in names.split(';') {
            let values = self
                .headers
                .iter()
                .filter(|(other, _)| other.to_lowercase() == name);
            let values: Vec<_> = values
                .map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect();
            lines.push(format!("{name}:{}", values.join(",")));
        }
        lines.extend([String::new(), names.clone(), sha256(&self.body)]);
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{DATE}\n{}\n{}",
            scope(),
            sha256(lines.join("\n").as_bytes())
        );
        let mut key = format!("AWS4{SECRET}").into_bytes();
        for part in scope().split('/') {
            key = mac(&key, part);
        }
        (names, hex(&mac(&key, &to_sign)))
    }

    fn send(self) -> Signed {
        let query = canonical_query(&self.query);
        let target = if query.is_empty() {
            self.path
        } else {
            format!("{}?{query}", self.path)
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        Signed {
            method: Method::POST,
            uri: target.parse().unwrap(),
            headers,
            body: self.body,
        }
    }
}

fn scope() -> String {
    format!("{}/eu-central-1/ecr/aws4_request", &DATE[..8])
}

fn canonical_query(query: &[(String, String)]) -> String {
    let mut pairs: Vec<_> = query
        .iter()
        .map(|(key, value)| (quote(key, ""), quote(value, "")))
        .collect();
    pairs.sort();
    pairs
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join("&")
}

fn quote(text: &str, safe: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || "-_.~".contains(char::from(byte));
    let one = |byte: u8| match byte {
        byte if plain(byte) || safe.contains(char::from(byte)) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes())
        .as_ref()
        .to_vec()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

//! What the server has acknowledged, and whether it still holds.

use std::{collections::BTreeMap, io, net::SocketAddr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{
    REPOSITORY,
    api::{self, sha256},
    http::Connection,
};

/// The acknowledgements.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Digests of blobs and how many bytes they have.
    pub(crate) blobs: BTreeMap<String, usize>,
    /// Tags and the digests of their manifests.
    pub(crate) tags: BTreeMap<String, String>,
    /// Chunks that were answered.
    pub(crate) chunks: usize,
    /// Uploads that went on after a kill.
    pub(crate) resumed: usize,
    /// What was found wrong on the way.
    pub(crate) wrong: Vec<String>,
}

impl Ledger {
    pub(crate) fn operations(&self) -> usize {
        self.blobs.len() + self.tags.len() + self.chunks
    }

    /// Pulls everything and checks its digest; returns what is lost.
    pub(crate) fn lost(&self, address: SocketAddr) -> Vec<String> {
        self.lost_to(&password(address).unwrap(), address)
    }

    /// The same for somebody who has a password.
    pub(crate) fn lost_to(&self, password: &str, address: SocketAddr) -> Vec<String> {
        let mut lost = self.wrong.clone();
        let mut connection = Connection::open(address).unwrap();
        let headers = [("host", "localhost"), ("authorization", password)];
        let mut pull = |path: String| {
            let path = format!("/v2/{REPOSITORY}/{path}");
            connection.send("GET", &path, &headers, b"").unwrap()
        };
        for (digest, length) in &self.blobs {
            let pulled = pull(format!("blobs/{digest}"));
            let found = format!("sha256:{}", sha256(&pulled.body));
            if (pulled.status, &found, pulled.body.len()) != (200, digest, *length) {
                lost.push(format!("blob {digest}: {}", pulled.status));
            }
        }
        for (tag, digest) in &self.tags {
            let pulled = pull(format!("manifests/{tag}"));
            if (pulled.status, format!("sha256:{}", sha256(&pulled.body))) != (200, digest.clone())
            {
                lost.push(format!("tag {tag}: {}", pulled.status));
            }
        }
        lost
    }
}

/// Logs in; returns the Authorization header of `/v2`.
pub(crate) fn password(address: SocketAddr) -> io::Result<String> {
    password_over(Connection::open(address)?)
}

/// The same over a connection.
pub(crate) fn password_over(connection: Connection) -> io::Result<String> {
    let answer = api::call_over(connection, "GetAuthorizationToken", "{}")?;
    // A server that is to end may still say that it cannot.
    if answer.status >= 500 {
        return Err(io::Error::other(answer.text()));
    }
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer: Value = serde_json::from_slice(&answer.body)?;
    let token = answer["authorizationData"][0]["authorizationToken"]
        .as_str()
        .unwrap();
    assert!(STANDARD.decode(token).unwrap().starts_with(b"AWS:"));
    Ok(format!("Basic {token}"))
}

//! Fetching from identity providers: whom the server connects to, and what it takes.

use longshore::{config::Oidc, oidc::HttpsFetch};
use longshore_registry::sts::oidc::{Fetch, FetchError, MAX_DOCUMENT};
use serde_json::json;

use crate::harness::Issuer;

/// A fetch that may go to this machine and trusts the CA of `issuer`.
fn open(issuer: &Issuer) -> HttpsFetch {
    let dir = tempfile::tempdir().unwrap();
    let ca_file = dir.path().join("ca.pem");
    issuer.write_ca(&ca_file);
    HttpsFetch::new(&Oidc {
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
        ca_file: Some(ca_file),
    })
    .unwrap()
}

/// A fetch that may go to this machine and trusts public roots only.
fn public() -> HttpsFetch {
    HttpsFetch::new(&Oidc {
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
        ca_file: None,
    })
    .unwrap()
}

#[tokio::test]
async fn a_document_comes_from_an_allowed_and_trusted_host() {
    let issuer = Issuer::start().await;
    issuer.put("/x?y=z", &json!({ "a": 1 }));
    let url = format!("{}/x?y=z", issuer.url());
    let document = open(&issuer).get(&url, &[]).await.unwrap();
    assert_eq!(document, r#"{"a":1}"#);
}

#[tokio::test]
async fn inside_addresses_are_not_connected_to() {
    let issuer = Issuer::start().await;
    issuer.put("/x", &json!({}));
    let fetch = HttpsFetch::new(&Oidc::default()).unwrap();
    let port = issuer.url().rsplit(':').next().unwrap().to_owned();
    for host in [
        "localhost",
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "169.254.169.254",
    ] {
        let refused = fetch.get(&format!("https://{host}:{port}/x"), &[]).await;
        assert_eq!(refused, Err(FetchError::Address), "{host}");
    }
    assert_eq!(issuer.asked("/x"), 0);
}

#[tokio::test]
async fn a_strangers_certificate_is_refused_unless_it_is_registered() {
    let issuer = Issuer::start().await;
    issuer.put("/x", &json!({}));
    let url = format!("{}/x", issuer.url());
    let refused = |answer| matches!(answer, Err(FetchError::Certificate(_)));
    let other = Issuer::start().await;
    assert!(refused(public().get(&url, &[]).await));
    assert!(refused(public().get(&url, &[other.thumbprint()]).await));
    assert!(refused(open(&other).get(&url, &[]).await));
    let registered = [other.thumbprint(), issuer.thumbprint()];
    public().get(&url, &registered).await.unwrap();
    // The name must be right all the same.
    let by_address = url.replace("localhost", "127.0.0.1");
    assert!(refused(public().get(&by_address, &registered).await));
    assert!(refused(open(&issuer).get(&by_address, &[]).await));
}

#[tokio::test]
async fn neither_redirects_nor_errors_nor_large_documents_are_taken() {
    let issuer = Issuer::start().await;
    let fetch = open(&issuer);
    let elsewhere = format!("{}/x", issuer.url());
    issuer.put("/x", &json!({}));
    issuer.answer(
        "/redirect",
        format!("HTTP/1.1 302 Found\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n"),
    );
    let page = |length: usize| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        [head.into_bytes(), vec![b' '; length]].concat()
    };
    issuer.answer("/large", page(MAX_DOCUMENT));
    issuer.answer("/larger", page(MAX_DOCUMENT + 1));
    issuer.answer(
        "/endless",
        [
            b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
            vec![b' '; MAX_DOCUMENT + 1],
        ]
        .concat(),
    );
    let get = async |path: &str| fetch.get(&format!("{}{path}", issuer.url()), &[]).await;
    assert_eq!(get("/redirect").await, Err(FetchError::Status(302)));
    assert_eq!(issuer.asked("/x"), 0);
    assert_eq!(get("/nothing").await, Err(FetchError::Status(404)));
    assert_eq!(get("/large").await.unwrap().len(), MAX_DOCUMENT);
    assert_eq!(get("/larger").await, Err(FetchError::TooLarge));
    assert_eq!(get("/endless").await, Err(FetchError::TooLarge));
    let plain = issuer.url().replace("https", "http");
    assert_eq!(fetch.get(&plain, &[]).await, Err(FetchError::Url));
}

#[tokio::test]
async fn a_file_without_certificates_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for ca_file in [empty, dir.path().join("absent.pem")] {
        let config = Oidc {
            ca_file: Some(ca_file),
            ..Oidc::default()
        };
        HttpsFetch::new(&config).unwrap_err();
    }
}

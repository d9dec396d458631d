//! Pulls of unencrypted blobs that are sent to the bucket.

use std::net::SocketAddr;

use longshore::config::Config;
use longshore_store::blob::Cipher;
use longshore_testbed::s3::S3Server;

use crate::harness::{Answer, Request, TestServer, digest_of, storage};

/// More than stays in a row.
const LARGE: usize = 300_000;

fn large(seed: u8) -> Vec<u8> {
    let bytes = (0..=250_u8).cycle().take(LARGE);
    bytes.map(|byte| byte ^ seed).collect()
}

/// A server that sends pulls to its bucket.
fn redirecting(config: &mut Config) {
    storage::in_bucket(config);
    config.blob_cipher = Cipher::None;
    config.redirect_pulls = true;
}

/// Asks the bucket for what a URL names, as anybody can.
async fn follow(url: &str) -> Answer {
    let (host, target) = url
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let address: SocketAddr = host.parse().unwrap();
    Request::new(address, "GET", &format!("/{target}"))
        .host(host)
        .send()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_of_one_bare_object_is_sent_to_it_after_it_was_allowed() {
    let server = TestServer::with(redirecting).await;
    server.create("app").await;
    let password = server.password().await;
    let digest = server.push_blob(&password, "app", &large(1)).await;
    let path = format!("app/blobs/{digest}");
    let pull = |method: &'static str| server.v2(&password, method, &path);

    let sent = pull("GET").send().await.expect(307);
    assert_eq!(sent.header("docker-content-digest"), Some(digest.as_str()));
    assert_eq!(sent.header("cache-control"), Some("no-store"));
    assert!(sent.body.is_empty());
    let url = sent.header("location").unwrap().to_owned();
    assert!(url.starts_with(&S3Server::shared().endpoint()), "{url}");
    assert!(url.contains("X-Amz-Expires=300"), "{url}");
    assert_eq!(follow(&url).await.expect(200).body, large(1));
    // The object is the bytes, and nobody has them without the signature.
    let (bare, signature) = url.split_once("&X-Amz-Signature=").unwrap();
    assert_eq!(follow(bare.split_once('?').unwrap().0).await.status, 403);
    let other: String = signature.chars().rev().collect();
    let forged = format!("{bare}&X-Amz-Signature={other}");
    assert_eq!(follow(&forged).await.status, 403);
    // Nobody gets a URL who may not pull.
    let nobody = server.request("GET", &format!("/v2/{path}")).send().await;
    assert_eq!(nobody.status, 401);
    assert_eq!(nobody.header("location"), None);
    let absent = format!("app/blobs/{}", digest_of(b"absent"));
    server
        .v2(&password, "GET", &absent)
        .send()
        .await
        .expect(404);

    let head = pull("HEAD").send().await.expect(200);
    assert_eq!(head.header("content-length"), Some("300000"));
    let part = pull("GET")
        .header("Range", "bytes=100000-100009")
        .send()
        .await;
    assert_eq!(part.expect(206).body, large(1)[100_000..100_010]);
    pull("GET")
        .header("Range", "bytes=300000-")
        .send()
        .await
        .expect(416);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_single_bare_object_streams_through() {
    let server = TestServer::with(|config| {
        storage::in_bucket(config);
        config.redirect_pulls = true;
    })
    .await;
    server.create("app").await;
    let password = server.password().await;
    let sealed = server.push_blob(&password, "app", &large(1)).await;
    let server = server.restart_with(redirecting).await.unwrap();
    let small = server.push_blob(&password, "app", b"small").await;
    let (first, second) = (large(2), large(3));
    let begun = server
        .v2(&password, "POST", "app/blobs/uploads/")
        .send()
        .await;
    let upload = begun.expect(202).header("location").unwrap().to_owned();
    let upload = upload.split_once("/v2/").unwrap().1.to_owned();
    for part in [&first, &second] {
        let sent = server.v2(&password, "PATCH", &upload).body(part.clone());
        sent.send().await.expect(202);
    }
    let joined = [first, second].concat();
    let digest = digest_of(&joined);
    let close = format!("{upload}?digest={digest}");
    server.v2(&password, "PUT", &close).send().await.expect(201);
    for (digest, bytes) in [
        (sealed, large(1)),
        (small, b"small".to_vec()),
        (digest, joined),
    ] {
        let path = format!("app/blobs/{digest}");
        let pulled = server.v2(&password, "GET", &path).send().await;
        assert_eq!(pulled.expect(200).body, bytes);
    }
    // Without being told to, it sends nobody anywhere.
    let bare = server.push_blob(&password, "app", &large(4)).await;
    let server = server.restart_with(storage::in_bucket).await.unwrap();
    let pulled = server
        .v2(&password, "GET", &format!("app/blobs/{bare}"))
        .send()
        .await;
    assert_eq!(pulled.expect(200).body, large(4));
}

#[test]
fn pulls_are_sent_to_buckets_alone() {
    let dir = tempfile::tempdir().unwrap();
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_longshore"))
        .args(["serve", "--redirect-pulls", "--data-dir"])
        .arg(dir.path())
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(1));
    let text = String::from_utf8_lossy(&done.stderr);
    assert!(
        text.contains("it goes with `--blobs s3://BUCKET/PREFIX`"),
        "{text}"
    );
}

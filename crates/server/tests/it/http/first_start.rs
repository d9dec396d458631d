//! First start, every other start, and what a kill in between leaves.

use std::{fs, os::unix::fs::PermissionsExt};

use longshore::{config::Config, serve};
use serde_json::json;

use crate::harness::TestServer;

fn config(dir: &std::path::Path) -> Config {
    let mut config = Config::new(dir).unwrap();
    "127.0.0.1:0".clone_into(&mut config.listen);
    config
}

#[tokio::test]
async fn the_first_start_shows_and_keeps_credentials_once() {
    let t = TestServer::start().await;
    let lines = t.credentials.to_lines();
    let (key, url) = (&t.credentials.key, &t.running.url);
    let expected = format!(
        "export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={} AWS_ENDPOINT_URL={url} AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1\nunset AWS_SESSION_TOKEN AWS_PROFILE\n",
        key.id, key.secret,
    );
    assert_eq!(lines, expected);
    assert_eq!(*url, format!("http://localhost:{}", t.address().port()));
    let file = t.data_dir().join("admin.env");
    assert_eq!(fs::read_to_string(&file).unwrap(), lines);
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let t = t.restart().await;
    assert!(t.running.first_start.is_none());
    t.aws("DescribeRegistry", &json!({})).await.expect(200);
    assert_eq!(fs::read_to_string(&file).unwrap(), lines);
}

#[tokio::test]
async fn what_was_pushed_is_there_after_a_restart() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    let digest = t.push_blob(&password, "app", b"kept").await;
    let t = t.restart().await;
    let pulled = t
        .v2(&password, "GET", &format!("app/blobs/{digest}"))
        .send()
        .await
        .expect(200);
    assert_eq!(pulled.body, b"kept");
}

#[tokio::test]
async fn a_start_that_was_cut_short_before_the_account_starts_over() {
    let dir = tempfile::tempdir().unwrap();
    let draft = dir.path().join("admin.env.new");
    fs::write(&draft, "export AWS_ACCESS_KEY_ID=AKIAABANDONED AWS_SECRET_ACCESS_KEY=abandoned\nunset AWS_SESSION_TOKEN AWS_PROFILE\n").unwrap();
    let server = serve::start(config(dir.path())).await.unwrap();
    let credentials = server.first_start.clone().unwrap();
    assert_ne!(credentials.key.id, "AKIAABANDONED");
    assert!(!draft.exists());
    server.stop().await;
}

#[tokio::test]
async fn a_start_that_was_cut_short_after_the_account_is_completed() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve::start(config(dir.path())).await.unwrap();
    let made = server.first_start.clone().unwrap();
    server.stop().await;
    let (kept, draft) = (
        dir.path().join("admin.env"),
        dir.path().join("admin.env.new"),
    );
    fs::rename(&kept, &draft).unwrap();
    let server = serve::start(config(dir.path())).await.unwrap();
    let recovered = server.first_start.clone().unwrap();
    assert_eq!(
        (recovered.key.id, recovered.key.secret),
        (made.key.id, made.key.secret)
    );
    assert!(kept.exists() && !draft.exists());
    server.stop().await;
}

#[tokio::test]
async fn the_operator_can_set_the_administrators_key() {
    let t = TestServer::with(|config| {
        config.root = Some(longshore_registry::bootstrap::AdministratorKey {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        });
    })
    .await;
    assert_eq!(t.credentials.key.id, "AKIAIOSFODNN7EXAMPLE");
    t.aws("DescribeRegistry", &json!({})).await.expect(200);
}

#[tokio::test]
async fn a_store_remembers_its_first_account() {
    let t = TestServer::with(|config| config.account = Some("123456789012".parse().unwrap())).await;
    let t = t.restart().await;
    assert_eq!(
        t.running.core.first_registry().account().as_str(),
        "123456789012"
    );
    let answer = t.aws("DescribeRegistry", &json!({})).await.expect(200);
    assert_eq!(answer.json()["registryId"], "123456789012");
}

#[tokio::test]
async fn another_first_account_than_the_stores_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    serve::start(config(dir.path())).await.unwrap().stop().await;
    let mut other = config(dir.path());
    other.account = Some("123456789012".parse().unwrap());
    assert_eq!(
        serve::start(other).await.unwrap_err().to_string(),
        "the data directory's first account is 000000000000: leave `--account` out, or say that"
    );
}

#[tokio::test]
async fn a_directory_in_use_is_refused() {
    let t = TestServer::start().await;
    let error = serve::start(config(t.data_dir())).await.unwrap_err();
    assert!(
        error.to_string().contains("is in use by another server"),
        "{error}"
    );
}

#[tokio::test]
async fn another_master_key_is_refused_and_so_is_none() {
    let dir = tempfile::tempdir().unwrap();
    serve::start(config(dir.path())).await.unwrap().stop().await;
    let mut other = config(dir.path());
    other.master_key = longshore::config::MasterKeySource::Text("00".repeat(32));
    let error = serve::start(other).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the master key is not the one this store was made with"
    );
    fs::remove_file(dir.path().join("master.key")).unwrap();
    let error = serve::start(config(dir.path())).await.unwrap_err();
    assert!(
        error.to_string().contains("master.key` is missing"),
        "{error}"
    );
}

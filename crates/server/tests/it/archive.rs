//! Blobs of archived images in a directory of their own.

use std::{
    error::Error as _,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use longshore::config::{BlobsUrl, Config};
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{TestServer, digest_of};

const LARGE: usize = 300_000;

fn archiving_to(dir: &Path) -> impl FnOnce(&mut Config) + use<> {
    let dir = dir.to_owned();
    move |config| config.archive_blobs = Some(BlobsUrl::File(dir))
}

/// The segments that lie in a directory.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let shards = fs::read_dir(dir.join("blobs")).unwrap();
    shards
        .map(|shard| shard.unwrap().path())
        .filter(|shard| shard.is_dir())
        .flat_map(|shard| fs::read_dir(shard).unwrap())
        .map(|file| file.unwrap().path())
        .collect()
}

/// A server with an archived image whose one layer lies in the archive.
async fn archived() -> (TestServer, TempDir, Vec<u8>) {
    let archive = tempfile::tempdir().unwrap();
    let t = TestServer::with(archiving_to(archive.path())).await;
    let layer = vec![7; LARGE];
    push(&t, &layer).await;
    update(&t, "ARCHIVE").await;
    until(async || segments(archive.path()).len() == 1).await;
    (t, archive, layer)
}

async fn push(t: &TestServer, layer: &[u8]) {
    t.create("app").await;
    let password = t.password().await;
    for blob in [b"{}", layer] {
        t.push_blob(&password, "app", blob).await;
    }
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(b"{}"), "size": 2},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest_of(layer), "size": layer.len()}],
    });
    let put =
        json!({"repositoryName": "app", "imageManifest": manifest.to_string(), "imageTag": "v1"});
    t.aws("PutImage", &put).await.expect(200);
}

async fn update(t: &TestServer, class: &str) {
    let input = json!({"repositoryName": "app", "imageId": {"imageTag": "v1"}, "targetStorageClass": class});
    t.aws("UpdateImageStorageClass", &input).await.expect(200);
}

async fn status_of(t: &TestServer, path: &str) -> u16 {
    let password = t.password().await;
    t.v2(&password, "GET", path).send().await.status
}

async fn until(done: impl AsyncFn() -> bool) {
    while !done().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_move_to_the_directory_survive_a_restart_and_come_back() {
    let (t, archive, layer) = archived().await;
    let blob = format!("app/blobs/{}", digest_of(&layer));
    for path in ["app/manifests/v1", blob.as_str()] {
        assert_eq!(status_of(&t, path).await, 404);
    }
    let there = archiving_to(archive.path());
    let t = t.restart_with(there).await.unwrap();
    update(&t, "STANDARD").await;
    until(async || status_of(&t, "app/manifests/v1").await == 200).await;
    let password = t.password().await;
    let pulled = t.v2(&password, "GET", &blob).send().await.expect(200);
    assert_eq!(pulled.body, layer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_told_where_the_archive_is_does_not_start() {
    let (t, _archive, _) = archived().await;
    let error = t.restart_with(|_| {}).await.unwrap_err();
    assert!(error.to_string().contains("--archive-blobs"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_directory_is_not_the_archive() {
    let (t, _archive, _) = archived().await;
    let empty = tempfile::tempdir().unwrap();
    let error = t
        .restart_with(archiving_to(empty.path()))
        .await
        .unwrap_err();
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains("`blobs/store-id` is missing"), "{cause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_directory_is_not_its_own_archive() {
    let t = TestServer::start().await;
    if !t.keeps_blobs_in_its_directory() {
        return;
    }
    let data = t.data_dir().to_owned();
    let error = t.restart_with(archiving_to(&data)).await.unwrap_err();
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains("belong to another store"), "{cause}");
}

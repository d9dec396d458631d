//! `longshore recover`: the metadata is lost, and the layers come back.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::harness::{TestServer, digest_of, storage};

/// More than stays in a row.
const LARGE: usize = 300_000;

fn recover(data: &Path, args: &[&str]) -> (Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
    command.args(["recover", "--json"]).args(args);
    command.arg("--data-dir").arg(data).env_clear();
    command.envs(storage::environment(data));
    let done = command.output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let told = String::from_utf8(done.stderr).unwrap();
    (serde_json::from_slice(&done.stdout).unwrap(), told)
}

/// The value of a variable in the lines of a first start.
fn value(lines: &str, name: &str) -> String {
    let mut words = lines.split_ascii_whitespace();
    let found = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    found
        .unwrap_or_else(|| panic!("no {name} in {lines}"))
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_come_back_when_all_metadata_is_lost() {
    // A database is not lost with the data directory.
    if longshore_testbed::postgres::is_chosen() {
        return;
    }
    let server = TestServer::start().await;
    server.create("app").await;
    let password = server.password().await;
    let layer = vec![7; LARGE];
    let digest = server.push_blob(&password, "app", &layer).await;
    let mut server = server
        .restart_after(|data| {
            for entry in fs::read_dir(data).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                if name.starts_with("metadata.sqlite") || name.starts_with("admin.env") {
                    fs::remove_file(path).unwrap();
                }
            }
            let (done, told) = recover(data, &["--new-metadata"]);
            assert_eq!(
                (&done["blobs"], &done["left"]),
                (&json!(1), &json!(0)),
                "{done}"
            );
            (
                value(&told, "AWS_ACCESS_KEY_ID"),
                value(&told, "AWS_SECRET_ACCESS_KEY"),
            )
        })
        .await;
    let password = server.password().await;
    let pulled = server
        .v2(&password, "GET", &format!("recovered/blobs/{digest}"))
        .send()
        .await
        .expect(200);
    assert_eq!(pulled.body, layer);
    // The image is pushed again: its configuration, which was in a row, and its manifest, but no layer.
    let config = b"{}";
    server.push_blob(&password, "recovered", config).await;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(config), "size": 2 },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": LARGE }],
    });
    let input = json!({ "repositoryName": "recovered", "imageTag": "v1", "imageManifest": manifest.to_string() });
    server.aws("PutImage", &input).await.expect(200);
    let (again, _) = recover(server.data_dir(), &[]);
    assert_eq!(again["unknown"], 0, "{again}");
    server = server.restart().await;
    let pulled = server.v2(&password, "GET", "recovered/manifests/v1").send();
    assert_eq!(pulled.await.expect(200).json(), manifest);
}

#[test]
fn a_store_without_blobs_or_with_another_master_key_is_not_recovered() {
    let empty = tempfile::tempdir().unwrap();
    let refused = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
        let command = command.args(["recover", "--new-metadata"]).args(args);
        let done = command
            .arg("--data-dir")
            .arg(empty.path())
            .env_clear()
            .output();
        let done = done.unwrap();
        assert_eq!(done.status.code(), Some(1));
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    let text = refused(&[]);
    assert!(text.contains("without the master key"), "{text}");
    fs::write(empty.path().join("master.key"), "5a".repeat(32)).unwrap();
    let text = refused(&[]);
    assert!(text.contains("no blobs are there"), "{text}");
}

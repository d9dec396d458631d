//! Archives of registries that are not whole: what cannot be read is told by its name and left out, all else is there.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tar::Archive;

use super::{
    proxy::{Proxy, body_at},
    scene::{INDEX, all_of, artifact, assert_same, descriptor, json_of, put, run, text, through},
};
use crate::harness::{Image, TestServer, digest_of};

/// The digests in an archive, and the failures that were told with it.
fn told(output: &Output, archive: &Path) -> (BTreeSet<String>, Vec<String>) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = if output.stdout.starts_with(b"{") {
        &output.stdout
    } else {
        &output.stderr
    };
    let report = String::from_utf8_lossy(report);
    let report: Value = serde_json::from_str(report.lines().next().unwrap()).unwrap();
    let failed = report["failed"].as_array().unwrap().iter();
    let failed = failed.map(|it| {
        let member = |name: &str| it[name].as_str().unwrap().to_owned();
        assert!(member("reason").contains("the blob sha256:"), "{output:?}");
        format!("{}:{}", member("repository"), member("image"))
    });
    (blobs(archive), failed.collect())
}

fn blobs(archive: &Path) -> BTreeSet<String> {
    let mut archive = Archive::new(fs::File::open(archive).unwrap());
    let mut digests = BTreeSet::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if name.starts_with("blobs/") {
            digests.insert(digest_of(&bytes));
        }
    }
    digests
}

/// Pushes a manifest that names a layer of a length which need not be here.
async fn push_sparse(server: &TestServer, tag: &str, own: &[u8], (layer, size): (&[u8], usize)) {
    let password = server.password().await;
    let config = b"{}".as_slice();
    for blob in [config, own] {
        server.push_blob(&password, "app", blob).await;
    }
    let layer_type = "application/vnd.oci.image.layer.v1.tar";
    let mut named = descriptor(layer_type, layer);
    named["size"] = size.into();
    let manifest = json!({ "schemaVersion": 2, "mediaType": Image::MEDIA_TYPE,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [descriptor(layer_type, own), named] });
    let manifest = manifest.to_string();
    put(
        server,
        "app",
        Some(tag),
        Image::MEDIA_TYPE,
        manifest.as_bytes(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_without_a_layer_is_told_and_all_others_are_in_the_archive() {
    let (from, to) = (TestServer::start().await, TestServer::start().await);
    let password = from.password().await;
    from.create("app").await;
    let good = Image::new("good", 2);
    from.push(&password, "app", "good", &good).await;
    push_sparse(&from, "absent", b"only of absent", (b"nowhere", 7)).await;
    push_sparse(&from, "longer", b"only of longer", (b"comes later", 999)).await;
    from.push_blob(&password, "app", b"comes later").await;
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("all.tar");
    let output = run(through(
        &from,
        &["export", "--to", text(&archive), "--json"],
    ))
    .await;
    let (blobs, failed) = told(&output, &archive);
    assert_eq!(failed, ["app:absent", "app:longer"], "{output:?}");
    // Nothing of them is there, not even what could be read.
    let of_good = good.blobs().map(digest_of);
    let of_good: BTreeSet<String> = of_good.chain([digest_of(&good.manifest())]).collect();
    assert_eq!(blobs, of_good);
    json_of(through(&to, &["import", text(&archive)])).await;
    for (tag, status) in [("good", 200), ("absent", 404), ("longer", 404)] {
        let path = format!("app/manifests/{tag}");
        let password = to.password().await;
        to.v2(&password, "GET", &path).send().await.expect(status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_turns_out_to_be_damaged_takes_only_what_needs_it_with_it() {
    let (from, to, same) = (
        TestServer::start().await,
        TestServer::start().await,
        TestServer::start().await,
    );
    let password = from.password().await;
    from.create("app").await;
    let (bad, part) = (Image::new("bad", 3), Image::new("part", 1));
    from.push(&password, "app", "part", &part).await;
    from.push(&password, "app", "good", &Image::new("good", 1))
        .await;
    // As it should be afterwards.
    same.create("app").await;
    let of_same = same.password().await;
    same.push(&of_same, "app", "part", &part).await;
    same.push(&of_same, "app", "good", &Image::new("good", 1))
        .await;
    let named = descriptor(Image::MEDIA_TYPE, &part.manifest());
    artifact(&from, "app", &named, "sbom").await;
    artifact(&same, "app", &named, "sbom").await;

    from.push(&password, "app", "bad", &bad).await;
    let named = descriptor(Image::MEDIA_TYPE, &bad.manifest());
    let signature = artifact(&from, "app", &named, "signature").await;
    let both = [named, descriptor(Image::MEDIA_TYPE, &part.manifest())];
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": both }).to_string();
    put(&from, "app", Some("both"), INDEX, index.as_bytes()).await;

    let wrong = digest_of(bad.blobs().nth(2).unwrap());
    let flip = move |asked: &str, mut answer: Vec<u8>| {
        if asked.starts_with("GET ") && asked.contains(&wrong) {
            let at = body_at(&answer) + 3;
            answer[at] ^= 4;
        }
        answer
    };
    let proxy = Proxy::before(from.address(), Box::new(flip)).await;
    let export = |to: &str| -> Command {
        let mut command = through(&from, &["export", "--to", to, "--json"]);
        command.env("AWS_ENDPOINT_URL", format!("http://{}", proxy.address));
        command
    };
    let dir = tempfile::tempdir().unwrap();
    let (file, piped) = (dir.path().join("all.tar"), dir.path().join("piped.tar"));
    let output = run(export(text(&file))).await;
    let expected = vec![
        "app:bad".to_owned(),
        "app:both".to_owned(),
        format!("app:{}", digest_of(&signature)),
    ];
    let (in_file, mut failed) = told(&output, &file);
    failed.sort();
    assert_eq!(failed, expected, "{output:?}");
    let output = run(export("-")).await;
    fs::write(&piped, &output.stdout).unwrap();
    let (in_pipe, mut failed) = told(&output, &piped);
    failed.sort();
    assert_eq!(failed, expected, "{output:?}");
    assert!(in_pipe.is_superset(&in_file));
    json_of(through(&to, &["import", text(&file)])).await;
    assert_same(&same, &to).await;
    json_of(through(
        &to,
        &["import", text(&piped), "--prefix", "piped/"],
    ))
    .await;
    let images: Vec<usize> = all_of(&to).await.iter().map(|(_, it)| it.len()).collect();
    assert_eq!(images, [3, 3]);
}

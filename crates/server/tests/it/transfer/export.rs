//! Exports: what is written, and that it is written whole, the same, and once.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::scene::{beside, fill, json_of, longshore, refusal, run, start, text, through};
use crate::harness::{Image, TestServer, digest_of};

fn index(layout: &Path) -> Value {
    serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap()
}

/// The names in a layout's list.
fn names(layout: &Path) -> Vec<String> {
    let index = index(layout);
    let names = index["manifests"].as_array().unwrap().iter();
    let names = names
        .filter_map(|image| image["annotations"]["org.opencontainers.image.ref.name"].as_str());
    names.map(str::to_owned).collect()
}

/// Asks that every blob of a layout is what it is called, and that nothing else lies there.
fn assert_whole(layout: &Path) -> usize {
    let blobs: Vec<_> = fs::read_dir(layout.join("blobs/sha256"))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for blob in &blobs {
        let digest = format!("sha256:{}", blob.file_name().to_str().unwrap());
        assert_eq!(digest_of(&fs::read(blob.path()).unwrap()), digest);
    }
    let mut names: Vec<_> = fs::read_dir(layout)
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["blobs", "index.json", "longshore.json", "oci-layout"]
    );
    blobs.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_registry_is_a_layout_with_all_of_it() {
    let server = TestServer::start().await;
    fill(&server).await;
    let dir = tempfile::tempdir().unwrap();
    let layout = dir.path().join("layout");
    let done = json_of(through(&server, &["export", "--to", text(&layout)])).await;
    assert_eq!(
        (&done["failures"], &done["repositories"]),
        (&json!(0), &json!(4)),
        "{done}"
    );
    let n_blobs = assert_whole(&layout);
    let names = names(&layout);
    for name in [
        "team/app:single",
        "team/app:multi",
        "team/app:docker",
        "fixed:v1",
        "charts/web:0.1.0_build",
    ] {
        assert!(names.contains(&name.to_owned()), "{name} of {names:?}");
    }
    let side: Value =
        serde_json::from_slice(&fs::read(layout.join("longshore.json")).unwrap()).unwrap();
    let fixed = side["repositories"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["repositoryName"] == "fixed")
        .unwrap();
    assert_eq!(fixed["imageTagMutability"], "IMMUTABLE_WITH_EXCLUSION");
    assert_eq!(fixed["imageScanningConfiguration"]["scanOnPush"], true);

    // The store gives the same, and what is there is not read again.
    let again = json_of(beside(&server, &["export", "--to", text(&layout)])).await;
    assert_eq!(
        (&again["bytes"], &again["brought"]["blobs"]),
        (&json!(0), &json!(0)),
        "{again}"
    );
    assert_eq!(assert_whole(&layout), n_blobs);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_comes_with_what_belongs_to_it_and_nothing_else() {
    let server = TestServer::start().await;
    fill(&server).await;
    let dir = tempfile::tempdir().unwrap();
    let layout = dir.path().join("layout");
    json_of(through(
        &server,
        &["export", "team/app:multi", "--to", text(&layout)],
    ))
    .await;
    // Two images, an attestation, the index, an SBOM, its signature, the signature of one image.
    let index = index(&layout);
    let listed = index["manifests"].as_array().unwrap();
    assert_eq!(listed.len(), 4, "{index}");
    let mut names = names(&layout);
    names.sort();
    assert!(
        names[0] == "multi" && names[1].starts_with("sha256-") && names.len() == 2,
        "{names:?}"
    );

    // The chart is added, and now names tell repositories.
    json_of(through(
        &server,
        &["export", "charts/web", "--to", text(&layout)],
    ))
    .await;
    let names = self::names(&layout);
    assert!(
        names.contains(&"charts/web:0.1.0_build".to_owned()),
        "{names:?}"
    );
    assert!(names.contains(&"team/app:multi".to_owned()), "{names:?}");
    assert_whole(&layout);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_the_same_bytes_whoever_writes_it() {
    let server = TestServer::start().await;
    fill(&server).await;
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one.tar"), dir.path().join("other.tar"));
    json_of(through(&server, &["export", "--to", text(&one)])).await;
    json_of(beside(
        &server,
        &["export", "--to", text(&other), "--jobs", "1"],
    ))
    .await;
    let piped = run(through(&server, &["export", "--to", "-"])).await;
    assert!(piped.status.success(), "{piped:?}");
    let bytes = fs::read(&one).unwrap();
    assert!(
        bytes == fs::read(&other).unwrap(),
        "two archives of the same images differ"
    );
    assert!(
        bytes == piped.stdout,
        "the archive on standard output differs"
    );

    // An archive that was begun is gone on with, and a part that is not right is written again.
    let kept = bytes.len() / 2;
    let mut partial = bytes[..kept].to_vec();
    partial[kept - 700] ^= 1;
    let resumed = dir.path().join("resumed.tar");
    fs::write(dir.path().join("resumed.tar.partial"), partial).unwrap();
    let done = json_of(through(&server, &["export", "--to", text(&resumed)])).await;
    assert!(
        fs::read(&resumed).unwrap() == bytes,
        "a resumed archive differs"
    );
    let all = json_of(through(&server, &["export", "--to", text(&one)])).await;
    assert!(
        done["bytes"].as_u64() < all["bytes"].as_u64(),
        "{done} {all}"
    );
    assert!(!dir.path().join("resumed.tar.partial").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_was_killed_goes_on_where_it_was() {
    let server = TestServer::start().await;
    let password = server.password().await;
    server.create("big").await;
    let layer: Vec<u8> = (0..96 * 1024 * 1024_u32)
        .map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[2])
        .collect();
    let digest = server.push_blob(&password, "big", &layer).await;
    let config = b"{}";
    server.push_blob(&password, "big", config).await;
    let manifest = json!({ "schemaVersion": 2, "mediaType": Image::MEDIA_TYPE,
        "config": super::scene::descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [super::scene::descriptor("application/vnd.oci.image.layer.v1.tar", &layer)] });
    super::scene::put(
        &server,
        "big",
        Some("v1"),
        Image::MEDIA_TYPE,
        manifest.to_string().as_bytes(),
    )
    .await;

    let dir = tempfile::tempdir().unwrap();
    let layout = dir.path().join("layout");
    let partial = layout
        .join(".partial")
        .join(format!("blobs-{}", digest.replace(':', "-")));
    let mut child = start(through(&server, &["export", "--to", text(&layout)]));
    let some = 4 * 1024 * 1024;
    while fs::metadata(&partial).map_or(0, |found| found.len()) < some {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the export ended before it was killed"
        );
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let left = fs::metadata(&partial).unwrap().len();
    assert!(!layout.join("index.json").exists());
    let done = json_of(through(&server, &["export", "--to", text(&layout)])).await;
    let read = done["bytes"].as_u64().unwrap();
    assert!(
        read <= layer.len() as u64 - left + 2,
        "{left} bytes were there, {read} were read"
    );
    assert_whole(&layout);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_exported_is_told() {
    let server = TestServer::start().await;
    fill(&server).await;
    let dir = tempfile::tempdir().unwrap();
    let layout = dir.path().join("layout");
    for (image, reason) in [
        ("absent", "there is no repository `absent`"),
        (
            "team/app:absent",
            "team/app:absent: absent is not at the source",
        ),
        ("Team", "names no repository"),
    ] {
        let said = refusal(through(&server, &["export", image, "--to", text(&layout)])).await;
        assert!(said.contains(reason), "{said}");
    }
    let other = dir.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("diary"), "mine").unwrap();
    let said = refusal(through(&server, &["export", "--to", text(&other)])).await;
    assert!(
        said.contains("neither empty nor an OCI image layout"),
        "{said}"
    );
    let said = refusal(longshore(&[
        "export",
        "--to",
        text(&layout),
        "--data-dir",
        text(&other),
    ]))
    .await;
    assert!(said.contains("holds no store yet"), "{said}");
    let mut stranger = through(&server, &["export", "--to", text(&layout)]);
    stranger.env("AWS_SECRET_ACCESS_KEY", "wrong");
    let said = refusal(stranger).await;
    assert!(said.contains("InvalidSignatureException"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_image_is_told_unless_it_is_left_out() {
    let server = TestServer::start().await;
    let password = server.password().await;
    server.create("app").await;
    let digest = server
        .push(&password, "app", "old", &Image::new("old", 1))
        .await;
    server
        .push(&password, "app", "new", &Image::new("new", 1))
        .await;
    let archive = json!({ "repositoryName": "app", "imageId": { "imageDigest": digest }, "targetStorageClass": "ARCHIVE" });
    server
        .aws("UpdateImageStorageClass", &archive)
        .await
        .expect(200);
    let dir = tempfile::tempdir().unwrap();
    let layout = dir.path().join("layout");
    let said = refusal(through(&server, &["export", "--to", text(&layout)])).await;
    assert!(said.contains("failed: app:old: it is archived"), "{said}");
    assert_eq!(names(&layout), ["new"]);
    json_of(through(
        &server,
        &["export", "--to", text(&layout), "--skip-archived"],
    ))
    .await;
}

#[tokio::test]
async fn help_has_examples() {
    for verb in ["export", "import", "migrate"] {
        let help = run(longshore(&[verb, "--help"])).await;
        let help = String::from_utf8(help.stdout).unwrap();
        assert!(
            help.contains(&format!("Example: longshore {verb} ")),
            "{help}"
        );
    }
}

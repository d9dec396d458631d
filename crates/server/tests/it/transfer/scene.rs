//! A registry with one of each sort of image, and the commands.

use std::{
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::harness::{Image, TestServer, digest_of, storage};

/// The program, without any variable.
pub(super) fn longshore(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
    command.args(args).env_clear().stdin(Stdio::null());
    command
}

/// A command through the running server, as its administrator.
pub(super) fn through(server: &TestServer, args: &[&str]) -> Command {
    let mut command = longshore(args);
    let (key, url) = (&server.credentials.key, &server.credentials.url);
    command
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_REGION", "us-east-1");
    command
        .env("AWS_ACCESS_KEY_ID", &key.id)
        .env("AWS_SECRET_ACCESS_KEY", &key.secret);
    command
}

/// A command on the store of a server, which may run.
pub(super) fn beside(server: &TestServer, args: &[&str]) -> Command {
    let mut command = longshore(args);
    command.arg("--data-dir").arg(server.data_dir());
    command
        .envs(storage::environment(server.data_dir()))
        .envs(server.environment());
    command
}

/// Runs a command beside the servers of this process.
pub(super) async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// Runs a command that must succeed and print JSON.
pub(super) async fn json_of(mut command: Command) -> Value {
    command.arg("--json");
    let output = run(command).await;
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// Runs a command that must fail; returns what it says.
pub(super) async fn refusal(command: Command) -> String {
    let output = run(command).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Starts a command that is not waited for.
pub(super) fn start(mut command: Command) -> Child {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A path as an argument.
pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// Puts a manifest under a tag or, without one, its digest; returns that.
pub(super) async fn put(
    server: &TestServer,
    repository: &str,
    tag: Option<&str>,
    media_type: &str,
    manifest: &[u8],
) -> String {
    let digest = digest_of(manifest);
    let password = server.password().await;
    let path = format!("{repository}/manifests/{}", tag.unwrap_or(&digest));
    let put = server
        .v2(&password, "PUT", &path)
        .header("Content-Type", media_type);
    put.body(manifest).send().await.expect(201);
    digest
}

/// What a manifest says of another.
pub(super) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest_of(bytes), "size": bytes.len() })
}

/// Fills a registry: an index with an attestation, a signature of cosign's, a referrer of a referrer, Docker's form, a
/// chart, untagged images, repositories that are empty or immutable, and one blob in two of them.
pub(super) async fn fill(server: &TestServer) {
    let password = server.password().await;
    for name in ["team/app", "charts/web", "empty"] {
        server.create(name).await;
    }
    let immutable = json!({
        "repositoryName": "fixed",
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{ "filterType": "WILDCARD", "filter": "dev-*" }],
        "imageScanningConfiguration": { "scanOnPush": true },
    });
    server.aws("CreateRepository", &immutable).await.expect(200);

    let image = Image::new("amd64", 2);
    let digest = server.push(&password, "team/app", "single", &image).await;
    server.push(&password, "fixed", "v1", &image).await;
    let arm = Image::new("arm64", 3);
    server.push(&password, "team/app", "moved", &arm).await;
    server
        .push(&password, "team/app", "moved", &Image::new("moved", 1))
        .await;

    // The form in which BuildKit attests.
    let attestation = Image::new("attestation", 1);
    server
        .push(&password, "team/app", "attestation", &attestation)
        .await;
    let mut attested = descriptor(Image::MEDIA_TYPE, &attestation.manifest());
    attested["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": digest_of(&arm.manifest()) });
    let manifests = [
        descriptor(Image::MEDIA_TYPE, &image.manifest()),
        descriptor(Image::MEDIA_TYPE, &arm.manifest()),
        attested,
    ];
    let index =
        json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests }).to_string();
    let index_digest = put(server, "team/app", Some("multi"), INDEX, index.as_bytes()).await;

    // cosign's tag, a referrer of the index, and one of that.
    let beside = format!("{}.sig", digest.replace(':', "-"));
    server
        .push(&password, "team/app", &beside, &Image::new("signature", 1))
        .await;
    let sbom = artifact(
        server,
        "team/app",
        &descriptor(INDEX, index.as_bytes()),
        "sbom",
    )
    .await;
    let of_sbom = descriptor(Image::MEDIA_TYPE, &sbom);
    artifact(server, "team/app", &of_sbom, "signature of the sbom").await;
    assert_eq!(index_digest, digest_of(index.as_bytes()));

    let (config, layer) = (
        b"{\"docker\":true}".as_slice(),
        b"a layer in Docker's form".as_slice(),
    );
    for blob in [config, layer] {
        server.push_blob(&password, "team/app", blob).await;
    }
    let docker = json!({ "schemaVersion": 2, "mediaType": DOCKER,
        "config": descriptor("application/vnd.docker.container.image.v1+json", config),
        "layers": [descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", layer)] });
    put(
        server,
        "team/app",
        Some("docker"),
        DOCKER,
        docker.to_string().as_bytes(),
    )
    .await;

    let (config, chart) = (b"name: web".as_slice(), b"a chart".as_slice());
    for blob in [config, chart] {
        server.push_blob(&password, "charts/web", blob).await;
    }
    let helm = json!({ "schemaVersion": 2, "mediaType": Image::MEDIA_TYPE,
        "config": descriptor("application/vnd.cncf.helm.config.v1+json", config),
        "layers": [descriptor("application/vnd.cncf.helm.chart.content.v1.tar+gzip", chart)] });
    put(
        server,
        "charts/web",
        Some("0.1.0_build"),
        Image::MEDIA_TYPE,
        helm.to_string().as_bytes(),
    )
    .await;
}

/// Attaches an artifact without a tag to something; returns its manifest.
pub(super) async fn artifact(
    server: &TestServer,
    repository: &str,
    subject: &Value,
    text: &str,
) -> Vec<u8> {
    let password = server.password().await;
    for blob in [b"{}".as_slice(), text.as_bytes()] {
        server.push_blob(&password, repository, blob).await;
    }
    let manifest = json!({ "schemaVersion": 2, "mediaType": Image::MEDIA_TYPE,
        "artifactType": "application/vnd.example",
        "config": descriptor("application/vnd.oci.empty.v1+json", b"{}"),
        "layers": [descriptor("text/plain", text.as_bytes())], "subject": subject });
    let manifest = manifest.to_string().into_bytes();
    put(server, repository, None, Image::MEDIA_TYPE, &manifest).await;
    manifest
}

/// Every repository with its images and tags.
pub(super) async fn all_of(server: &TestServer) -> Vec<(String, Vec<String>)> {
    let told = server
        .aws("DescribeRepositories", &json!({}))
        .await
        .expect(200)
        .json();
    let repositories = told["repositories"].as_array().unwrap().clone();
    let mut all = Vec::new();
    for repository in &repositories {
        let name = repository["repositoryName"].as_str().unwrap().to_owned();
        all.push((name.clone(), images_of(server, &name).await));
    }
    all.sort();
    all
}

/// The images and tags of a repository, each as `DIGEST TAG`.
pub(super) async fn images_of(server: &TestServer, repository: &str) -> Vec<String> {
    let input = json!({ "repositoryName": repository, "maxResults": 1000 });
    let told = server.aws("ListImages", &input).await.expect(200).json();
    let ids = told["imageIds"].as_array().unwrap().iter();
    let mut images: Vec<String> = ids
        .map(|id| {
            format!(
                "{} {}",
                id["imageDigest"].as_str().unwrap(),
                id["imageTag"].as_str().unwrap_or("-")
            )
        })
        .collect();
    images.sort();
    images
}

/// Asks that two registries have the same images, and that each can be pulled from the second.
pub(super) async fn assert_same(from: &TestServer, to: &TestServer) {
    let expected = all_of(from).await;
    assert_eq!(expected, all_of(to).await);
    let password = to.password().await;
    for (repository, images) in &expected {
        for image in images {
            let digest = image.split(' ').next().unwrap();
            assert_pulls(to, &password, repository, digest).await;
        }
    }
}

/// Pulls an image with all its blobs.
pub(super) async fn assert_pulls(
    server: &TestServer,
    password: &str,
    repository: &str,
    digest: &str,
) {
    let path = format!("{repository}/manifests/{digest}");
    let pulled = server.v2(password, "GET", &path).send().await.expect(200);
    assert_eq!(digest_of(&pulled.body), digest);
    let manifest = pulled.json();
    let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
    for blob in layers.iter().chain(manifest.get("config")) {
        let blob = blob["digest"].as_str().unwrap();
        let path = format!("{repository}/blobs/{blob}");
        let pulled = server.v2(password, "GET", &path).send().await.expect(200);
        assert_eq!(digest_of(&pulled.body), blob);
    }
}

//! The AWS command line interface.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::harness::command::Command;
use crate::harness::image::{self, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, digest, noise};
use crate::harness::{Case, Cases, Client, Scene};

pub(crate) fn client() -> Client {
    Client {
        name: "aws",
        version,
        cases: Cases::Functions(CASES),
    }
}

const CASES: &[Case] = &[
    Case::new(
        "creates_describes_and_deletes_a_repository",
        creates_describes_and_deletes_a_repository,
    ),
    Case::new("prints_a_login_command", prints_a_login_command),
    Case::new(
        "pushes_an_image_by_api_and_downloads_its_layer",
        pushes_an_image_by_api_and_downloads_its_layer,
    ),
    Case::new(
        "lists_the_referrers_of_an_image",
        lists_the_referrers_of_an_image,
    ),
    Case::new(
        "retags_lists_and_deletes_an_image",
        retags_lists_and_deletes_an_image,
    ),
    Case::new("tags_and_untags_a_repository", tags_and_untags_a_repository),
    Case::new(
        "sets_mutability_with_exclusions",
        sets_mutability_with_exclusions,
    ),
    Case::new("pages_through_images", pages_through_images),
    Case::new("describes_the_registry", describes_the_registry),
    Case::new(
        "is_told_that_a_repository_is_missing",
        is_told_that_a_repository_is_missing,
    ),
    Case::new(
        "is_refused_with_a_wrong_secret",
        is_refused_with_a_wrong_secret,
    ),
];

pub(super) fn version(scene: &Scene<'_>) -> Result<String> {
    let text = scene.command("aws").arg("--version").text()?;
    let version = text
        .split(' ')
        .next()
        .and_then(|name| name.strip_prefix("aws-cli/"));
    Ok(version.context("no version")?.to_owned())
}

fn ecr(scene: &Scene<'_>, verb: &str) -> Command {
    scene.command("aws").args(["ecr", verb, "--output", "json"])
}

fn on(scene: &Scene<'_>, verb: &str, repository: &str) -> Command {
    ecr(scene, verb).args(["--repository-name", repository])
}

fn creates_describes_and_deletes_a_repository(scene: &Scene<'_>) -> Result<()> {
    let name = format!("{}/app", scene.prefix());
    let created = on(scene, "create-repository", &name).json()?;
    let repository = &created["repository"];
    ensure!(
        repository["repositoryArn"]
            == format!("arn:aws:ecr:us-east-1:000000000000:repository/{name}"),
        "{created}"
    );
    ensure!(
        repository["repositoryUri"] == format!("{}/{name}", scene.host()),
        "{created}"
    );
    let described = ecr(scene, "describe-repositories")
        .args(["--repository-names", &name])
        .json()?;
    ensure!(&described["repositories"][0] == repository, "{described}");
    let deleted = on(scene, "delete-repository", &name).json()?;
    ensure!(&deleted["repository"] == repository, "{deleted}");
    ecr(scene, "describe-repositories")
        .args(["--repository-names", &name])
        .refused(&["RepositoryNotFoundException"])
}

fn prints_a_login_command(scene: &Scene<'_>) -> Result<()> {
    let said = scene
        .command("aws")
        .args(["ecr", "get-login", "--no-include-email"])
        .text()?;
    let words: Vec<_> = said.split(' ').collect();
    ensure!(
        words.get(..4) == Some(&["docker", "login", "-u", "AWS"][..]),
        "{said}"
    );
    ensure!(
        words
            .last()
            .is_some_and(|endpoint| endpoint.ends_with(scene.host())),
        "{said}"
    );
    Ok(())
}

/// Uploads a blob by the three calls and returns its digest.
fn upload(scene: &Scene<'_>, repository: &str, bytes: &[u8]) -> Result<String> {
    let started = on(scene, "initiate-layer-upload", repository).json()?;
    let id = started["uploadId"].as_str().context("no upload id")?;
    scene.file("part", bytes)?;
    let last = (bytes.len() - 1).to_string();
    let part = [
        "--upload-id",
        id,
        "--part-first-byte",
        "0",
        "--part-last-byte",
        &last,
    ];
    let received = on(scene, "upload-layer-part", repository)
        .args(part)
        .args(["--layer-part-blob", "fileb://part"])
        .json()?;
    ensure!(
        received["lastByteReceived"] == bytes.len() - 1,
        "{received}"
    );
    let digest = digest(bytes);
    let complete = ["--upload-id", id, "--layer-digests", &digest];
    let completed = on(scene, "complete-layer-upload", repository)
        .args(complete)
        .json()?;
    ensure!(completed["layerDigest"] == digest.as_str(), "{completed}");
    Ok(digest)
}

fn put(scene: &Scene<'_>, repository: &str, tag: &str, manifest: &str) -> Result<Value> {
    scene.file("manifest.json", manifest)?;
    let flags = [
        "--image-manifest",
        "file://manifest.json",
        "--image-manifest-media-type",
        OCI_MANIFEST,
    ];
    on(scene, "put-image", repository)
        .args(["--image-tag", tag])
        .args(flags)
        .json()
}

/// Puts an image whose layer holds these bytes, all by API, and returns its manifest.
fn put_image(scene: &Scene<'_>, repository: &str, tag: &str, layer: &[u8]) -> Result<String> {
    let config = b"{}";
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": upload(scene, repository, config)?, "size": config.len()},
        "layers": [{"mediaType": OCI_LAYER, "digest": upload(scene, repository, layer)?, "size": layer.len()}],
    });
    let manifest = manifest.to_string();
    put(scene, repository, tag, &manifest)?;
    Ok(manifest)
}

/// Pushes an image with crane, which takes a tenth of the time, and returns its manifest.
fn pushed(scene: &Scene<'_>, repository: &str, tag: &str, contents: &[u8]) -> Result<String> {
    let (layout, digest) =
        image::single(scene.logged_in()?.path(&format!("layout-{tag}")), contents)?;
    let target = format!("{}/{repository}:{tag}", scene.host());
    scene
        .command("crane")
        .arg("push")
        .arg(&layout.path)
        .arg(target)
        .run()?;
    let manifest = layout.path.join("blobs").join(digest.replace(':', "/"));
    Ok(std::fs::read_to_string(manifest)?)
}

fn pushes_an_image_by_api_and_downloads_its_layer(scene: &Scene<'_>) -> Result<()> {
    let name = scene.repository("app")?;
    let layer = noise(20, 400_000);
    let manifest = put_image(scene, &name, "v1", &layer)?;
    let ask = [
        "--image-ids",
        "imageTag=v1",
        "--accepted-media-types",
        OCI_MANIFEST,
    ];
    let got = on(scene, "batch-get-image", &name).args(ask).json()?;
    ensure!(
        got["images"][0]["imageManifest"] == manifest.as_str(),
        "{got}"
    );
    let absent = digest(b"nowhere");
    let checked = on(scene, "batch-check-layer-availability", &name)
        .args(["--layer-digests", &digest(&layer), &absent])
        .json()?;
    let states: Vec<_> = checked["layers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|layer| (&layer["layerDigest"], &layer["layerAvailability"]))
        .collect();
    let expected = [
        (&json!(digest(&layer)), &json!("AVAILABLE")),
        (&json!(absent), &json!("UNAVAILABLE")),
    ];
    ensure!(states == expected, "{checked}");
    let url = on(scene, "get-download-url-for-layer", &name)
        .args(["--layer-digest", &digest(&layer)])
        .json()?;
    let url = url["downloadUrl"].as_str().context("no URL")?.to_owned();
    scene
        .command("curl")
        .args(["-sSf", "--output", "whole", &url])
        .run()?;
    ensure!(
        std::fs::read(scene.path("whole"))? == layer,
        "other bytes came back"
    );
    let status = [
        "-sSf",
        "--range",
        "1000-1999",
        "--write-out",
        "%{http_code}",
        "--output",
        "range",
        &url,
    ];
    ensure!(
        scene.command("curl").args(status).text()? == "206",
        "the range was ignored"
    );
    ensure!(
        std::fs::read(scene.path("range"))? == layer[1000..2000],
        "another range came back"
    );
    Ok(())
}

fn lists_the_referrers_of_an_image(scene: &Scene<'_>) -> Result<()> {
    let name = scene.repository("app")?;
    let subject = pushed(scene, &name, "v1", b"subject")?;
    let layer = noise(21, 1_000);
    let about = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/vnd.example.note",
        "config": {"mediaType": OCI_CONFIG, "digest": upload(scene, &name, b"{}")?, "size": 2},
        "layers": [{"mediaType": OCI_LAYER, "digest": upload(scene, &name, &layer)?, "size": layer.len()}],
        "subject": {"mediaType": OCI_MANIFEST, "digest": digest(subject.as_bytes()), "size": subject.len()},
    });
    put(scene, &name, "note", &about.to_string())?;
    let of = format!("imageDigest={}", digest(subject.as_bytes()));
    let listed = on(scene, "list-image-referrers", &name)
        .args(["--subject-id", &of])
        .json()?;
    ensure!(
        listed["referrers"][0]["digest"] == digest(about.to_string().as_bytes()).as_str(),
        "{listed}"
    );
    ensure!(
        listed["referrers"][0]["artifactType"] == "application/vnd.example.note",
        "{listed}"
    );
    on(scene, "list-image-referrers", &format!("{name}/absent"))
        .args(["--subject-id", &of])
        .refused(&["RepositoryNotFoundException"])
}

fn retags_lists_and_deletes_an_image(scene: &Scene<'_>) -> Result<()> {
    let name = scene.repository("app")?;
    let manifest = pushed(scene, &name, "v1", b"retag")?;
    put(scene, &name, "v2", &manifest)?;
    let listed = on(scene, "list-images", &name)
        .args(["--filter", "tagStatus=TAGGED"])
        .json()?;
    ensure!(
        listed["imageIds"]
            .as_array()
            .is_some_and(|ids| ids.len() == 2),
        "{listed}"
    );
    let query = ["--query", "imageDetails[0].imageTags"];
    let mut tags: Vec<String> =
        serde_json::from_value(on(scene, "describe-images", &name).args(query).json()?)?;
    tags.sort();
    ensure!(tags == ["v1", "v2"], "{tags:?}");
    let delete = on(scene, "batch-delete-image", &name)
        .args(["--image-ids", "imageTag=v1", "imageTag=absent"])
        .json()?;
    ensure!(delete["imageIds"][0]["imageTag"] == "v1", "{delete}");
    ensure!(
        delete["failures"][0]["failureCode"] == "ImageNotFound",
        "{delete}"
    );
    let refusal = "cannot be deleted because it still contains images";
    on(scene, "delete-repository", &name).refused(&["RepositoryNotEmptyException", refusal])?;
    on(scene, "delete-repository", &name)
        .arg("--force")
        .run()
        .map(drop)
}

fn tags_and_untags_a_repository(scene: &Scene<'_>) -> Result<()> {
    let name = scene.repository("app")?;
    let arn = format!("arn:aws:ecr:us-east-1:000000000000:repository/{name}");
    let tags = || {
        ecr(scene, "list-tags-for-resource")
            .args(["--resource-arn", &arn])
            .json()
    };
    let pairs = ["--tags", "Key=team,Value=harbour", "Key=stage,Value=test"];
    ecr(scene, "tag-resource")
        .args(["--resource-arn", &arn])
        .args(pairs)
        .run()?;
    ensure!(
        tags()?["tags"]
            .as_array()
            .is_some_and(|tags| tags.len() == 2),
        "{}",
        tags()?
    );
    ecr(scene, "untag-resource")
        .args(["--resource-arn", &arn, "--tag-keys", "stage"])
        .run()?;
    ensure!(
        tags()?["tags"] == json!([{"Key": "team", "Value": "harbour"}]),
        "{}",
        tags()?
    );
    Ok(())
}

fn sets_mutability_with_exclusions(scene: &Scene<'_>) -> Result<()> {
    let name = scene.repository("app")?;
    let filters = [
        "--image-tag-mutability-exclusion-filters",
        "filterType=WILDCARD,filter=dev-*",
    ];
    let set = on(scene, "put-image-tag-mutability", &name)
        .args(["--image-tag-mutability", "IMMUTABLE_WITH_EXCLUSION"]);
    let set = set.args(filters).json()?;
    ensure!(
        set["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION",
        "{set}"
    );
    pushed(scene, &name, "v1", b"first")?;
    let manifest = pushed(scene, &name, "dev-1", b"second")?;
    scene.file("manifest.json", &manifest)?;
    let flags = [
        "--image-tag",
        "v1",
        "--image-manifest",
        "file://manifest.json",
    ];
    let reason = format!(
        "The image tag 'v1' already exists in the '{name}' repository and cannot be overwritten"
    );
    on(scene, "put-image", &name)
        .args(flags)
        .refused(&["ImageTagAlreadyExistsException", &reason])
}

fn pages_through_images(scene: &Scene<'_>) -> Result<()> {
    let name = scene.repository("app")?;
    let manifest = pushed(scene, &name, "t0", b"pages")?;
    for tag in ["t1", "t2", "t3", "t4"] {
        let put = json!({"repositoryName": name, "imageTag": tag, "imageManifest": manifest});
        scene.api("PutImage", &put)?;
    }
    let all = on(scene, "list-images", &name)
        .args(["--page-size", "2", "--query", "length(imageIds)"])
        .json()?;
    ensure!(all == 5, "{all} tags came back");
    let first = on(scene, "list-images", &name)
        .args(["--max-items", "3"])
        .json()?;
    let token = first["NextToken"].as_str().context("no token")?;
    let rest = on(scene, "list-images", &name)
        .args(["--starting-token", token])
        .json()?;
    ensure!(
        rest["imageIds"]
            .as_array()
            .is_some_and(|ids| ids.len() == 2),
        "{rest}"
    );
    Ok(())
}

fn describes_the_registry(scene: &Scene<'_>) -> Result<()> {
    let described = ecr(scene, "describe-registry").json()?;
    ensure!(described["registryId"] == "000000000000", "{described}");
    Ok(())
}

fn is_told_that_a_repository_is_missing(scene: &Scene<'_>) -> Result<()> {
    let reason = format!(
        "An error occurred (RepositoryNotFoundException) when calling the DescribeImages operation: The repository with \
         name '{}/absent' does not exist in the registry with id '000000000000'",
        scene.prefix()
    );
    on(
        scene,
        "describe-images",
        &format!("{}/absent", scene.prefix()),
    )
    .refused(&[&reason])
}

fn is_refused_with_a_wrong_secret(scene: &Scene<'_>) -> Result<()> {
    let command = ecr(scene, "describe-registry").env("AWS_SECRET_ACCESS_KEY", "wrong");
    command
        .refused(&["The request signature we calculated does not match the signature you provided"])
}

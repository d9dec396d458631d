//! regctl, the client of regclient.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::harness::command::Command;
use crate::harness::image::{self, noise};
use crate::harness::{Case, Cases, Client, Scene};

pub(crate) fn client() -> Client {
    Client {
        name: "regctl",
        version,
        cases: Cases::Functions(CASES),
    }
}

const CASES: &[Case] = &[
    Case::new(
        "logs_in_with_a_password_from_stdin",
        logs_in_with_a_password_from_stdin,
    ),
    Case::new(
        "is_refused_with_a_wrong_password",
        is_refused_with_a_wrong_password,
    ),
    Case::new(
        "copies_an_index_and_lists_its_tag",
        copies_an_index_and_lists_its_tag,
    ),
    Case::new(
        "copies_an_image_with_its_referrers",
        copies_an_image_with_its_referrers,
    ),
    Case::new(
        "puts_an_artifact_with_a_subject_and_lists_it",
        puts_an_artifact_with_a_subject_and_lists_it,
    ),
    Case::new("puts_and_gets_a_blob", puts_and_gets_a_blob),
    Case::new("puts_a_blob_in_small_chunks", puts_a_blob_in_small_chunks),
    Case::new("copies_a_blob_by_mounting_it", copies_a_blob_by_mounting_it),
    Case::new(
        "makes_an_image_of_sha512_digests",
        makes_an_image_of_sha512_digests,
    ),
    Case::new("deletes_a_tag_and_a_manifest", deletes_a_tag_and_a_manifest),
    Case::new("lists_repositories", lists_repositories),
    Case::new("pages_through_tags", pages_through_tags),
];

fn version(scene: &Scene<'_>) -> Result<String> {
    scene
        .command("regctl")
        .args(["version", "--format", "{{.VCSTag}}"])
        .text()
}

fn regctl(scene: &Scene<'_>) -> Command {
    let host = format!("reg={},tls=disabled", scene.host());
    scene.command("regctl").args(["--host", &host])
}

fn push(scene: &Scene<'_>, reference: &str, contents: &[u8]) -> Result<String> {
    let path = format!("layout-{}", &image::digest(contents)[7..15]);
    let (_, digest) = image::single(scene.path(&path), contents)?;
    regctl(scene)
        .args(["image", "copy", &format!("ocidir://{path}:v1"), reference])
        .run()?;
    Ok(digest)
}

fn login(scene: &Scene<'_>, password: &str) -> Result<Command> {
    scene
        .command("regctl")
        .args([
            "registry",
            "set",
            "--tls",
            "disabled",
            "--skip-check",
            scene.host(),
        ])
        .run()?;
    let login = [
        "registry",
        "login",
        "--user",
        "AWS",
        "--pass-stdin",
        scene.host(),
    ];
    scene
        .command("regctl")
        .args(login)
        .stdin(password.as_bytes())
}

fn logs_in_with_a_password_from_stdin(scene: &Scene<'_>) -> Result<()> {
    let target = scene.target("app")?;
    login(scene, &scene.world.password)?.run()?;
    let (_, digest) = image::single(scene.path("layout"), b"login")?;
    scene
        .command("regctl")
        .args([
            "image",
            "copy",
            "ocidir://layout:v1",
            &format!("{target}:v1"),
        ])
        .run()?;
    let told = scene
        .command("regctl")
        .args(["image", "digest", &format!("{target}:v1")])
        .text()?;
    ensure!(told == digest, "{told}");
    Ok(())
}

fn is_refused_with_a_wrong_password(scene: &Scene<'_>) -> Result<()> {
    login(scene, "wrong")?.refused(&["unauthorized"])
}

fn copies_an_index_and_lists_its_tag(scene: &Scene<'_>) -> Result<()> {
    let target = scene.logged_in()?.target("app")?;
    let (_, digest) = image::multi(scene.path("layout"), &noise(6, 300_000))?;
    regctl(scene)
        .args([
            "image",
            "copy",
            "ocidir://layout:v1",
            &format!("{target}:v1"),
        ])
        .run()?;
    let told = regctl(scene)
        .args(["image", "digest", &format!("{target}:v1")])
        .text()?;
    ensure!(told == digest, "{told}");
    let tags = regctl(scene).args(["tag", "ls", &target]).text()?;
    ensure!(tags == "v1", "{tags}");
    let arm = [
        "image",
        "config",
        "--platform",
        "linux/arm64",
        &format!("{target}:v1"),
    ];
    let config = regctl(scene)
        .args(arm)
        .args(["--format", "{{json .}}"])
        .json()?;
    ensure!(config["architecture"] == "arm64", "{config}");
    Ok(())
}

fn copies_an_image_with_its_referrers(scene: &Scene<'_>) -> Result<()> {
    let from = scene.logged_in()?.target("from")?;
    let to = scene.target("to")?;
    push(scene, &format!("{from}:v1"), b"referred")?;
    attach(
        scene,
        &format!("{from}:v1"),
        "application/vnd.example.sbom",
        "an SBOM",
    )?;
    regctl(scene)
        .args([
            "image",
            "copy",
            "--referrers",
            &format!("{from}:v1"),
            &format!("{to}:v1"),
        ])
        .run()?;
    let referrers = referrers(scene, &format!("{to}:v1"), &[])?;
    ensure!(referrers.len() == 1, "{referrers:?}");
    Ok(())
}

fn attach(scene: &Scene<'_>, subject: &str, kind: &str, contents: &str) -> Result<()> {
    let put = [
        "artifact",
        "put",
        "--artifact-type",
        kind,
        "--subject",
        subject,
        "--annotation",
        "by=regctl",
    ];
    regctl(scene)
        .args(put)
        .stdin(contents.as_bytes())?
        .run()
        .map(drop)
}

/// The artifact types that refer to a reference.
fn referrers(scene: &Scene<'_>, reference: &str, flags: &[&str]) -> Result<Vec<String>> {
    let list = regctl(scene)
        .args(["artifact", "list", reference, "--format", "{{json .}}"])
        .args(flags)
        .json()?;
    let descriptors = list["descriptors"].as_array().cloned().unwrap_or_default();
    Ok(descriptors
        .iter()
        .filter_map(|d| d["artifactType"].as_str().map(str::to_owned))
        .collect())
}

fn puts_an_artifact_with_a_subject_and_lists_it(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:v1", scene.logged_in()?.target("app")?);
    push(scene, &target, b"subject")?;
    attach(scene, &target, "application/vnd.example.sbom", "an SBOM")?;
    attach(scene, &target, "application/vnd.example.note", "a note")?;
    let mut all = referrers(scene, &target, &[])?;
    all.sort();
    ensure!(
        all == [
            "application/vnd.example.note",
            "application/vnd.example.sbom"
        ],
        "{all:?}"
    );
    let notes = referrers(
        scene,
        &target,
        &["--filter-artifact-type", "application/vnd.example.note"],
    )?;
    ensure!(notes == ["application/vnd.example.note"], "{notes:?}");
    let get = [
        "artifact",
        "get",
        "--subject",
        &target,
        "--filter-artifact-type",
        "application/vnd.example.note",
    ];
    let note = regctl(scene).args(get).text()?;
    ensure!(note == "a note", "{note}");
    Ok(())
}

/// Writes a file of this size, puts it as a blob with `put`, and demands the same bytes back.
fn blob_round_trip(
    scene: &Scene<'_>,
    repository: &str,
    size: usize,
    put: Command,
) -> Result<String> {
    let bytes = noise(size as u64, size);
    let digest = put
        .args(["blob", "put", repository])
        .stdin(&bytes)?
        .text()?;
    ensure!(digest.contains(&image::digest(&bytes)), "{digest}");
    let digest = image::digest(&bytes);
    regctl(scene)
        .args(["blob", "head", repository, &digest])
        .run()?;
    let got = scene.command("sh").args([
        "-c",
        "regctl --host \"$1\" blob get \"$2\" \"$3\" > blob",
        "sh",
    ]);
    let host = format!("reg={},tls=disabled", scene.host());
    got.args([&host, repository, &digest]).run()?;
    ensure!(
        std::fs::read(scene.path("blob"))? == bytes,
        "other bytes came back"
    );
    Ok(digest)
}

fn puts_and_gets_a_blob(scene: &Scene<'_>) -> Result<()> {
    let target = scene.logged_in()?.target("app")?;
    blob_round_trip(scene, &target, 1_234_567, regctl(scene)).map(drop)
}

fn puts_a_blob_in_small_chunks(scene: &Scene<'_>) -> Result<()> {
    let target = scene.logged_in()?.target("app")?;
    let set = [
        "registry",
        "set",
        "--tls",
        "disabled",
        "--skip-check",
        "--blob-chunk",
        "65536",
        "--blob-max",
        "1000",
    ];
    scene.command("regctl").args(set).arg(scene.host()).run()?;
    blob_round_trip(scene, &target, 1_000_003, scene.command("regctl")).map(drop)
}

fn copies_a_blob_by_mounting_it(scene: &Scene<'_>) -> Result<()> {
    let from = scene.logged_in()?.target("from")?;
    let to = scene.target("to")?;
    let digest = blob_round_trip(scene, &from, 200_000, regctl(scene))?;
    regctl(scene)
        .args(["blob", "copy", &from, &to, &digest])
        .run()?;
    regctl(scene)
        .args(["blob", "head", &to, &digest])
        .run()
        .map(drop)
}

fn makes_an_image_of_sha512_digests(scene: &Scene<'_>) -> Result<()> {
    let target = scene.logged_in()?.target("app")?;
    push(scene, &format!("{target}:v1"), b"sha512")?;
    let create = [
        "image",
        "mod",
        "--digest-algo",
        "sha512",
        "--create",
        &format!("{target}:v512"),
    ];
    regctl(scene)
        .args(create)
        .arg(format!("{target}:v1"))
        .run()?;
    let manifest = regctl(scene)
        .args([
            "manifest",
            "get",
            "--format",
            "raw-body",
            &format!("{target}:v512"),
        ])
        .json()?;
    let layer = manifest["layers"][0]["digest"].as_str().unwrap_or_default();
    ensure!(layer.starts_with("sha512:"), "{manifest}");
    regctl(scene)
        .args(["blob", "head", &target, layer])
        .run()
        .map(drop)
}

fn deletes_a_tag_and_a_manifest(scene: &Scene<'_>) -> Result<()> {
    let target = scene.logged_in()?.target("app")?;
    let digest = push(scene, &format!("{target}:v1"), b"delete")?;
    regctl(scene)
        .args([
            "image",
            "copy",
            &format!("{target}:v1"),
            &format!("{target}:v2"),
        ])
        .run()?;
    regctl(scene)
        .args(["tag", "delete", &format!("{target}:v1")])
        .run()?;
    let tags = regctl(scene).args(["tag", "ls", &target]).text()?;
    ensure!(tags == "v2", "{tags}");
    regctl(scene)
        .args(["manifest", "delete", &format!("{target}@{digest}")])
        .run()?;
    regctl(scene)
        .args(["manifest", "head", &format!("{target}:v2")])
        .refused(&["not found"])
}

fn lists_repositories(scene: &Scene<'_>) -> Result<()> {
    let name = scene.logged_in()?.repository("app")?;
    let listed = regctl(scene)
        .args(["repo", "ls", "--limit", "1000", scene.host()])
        .text()?;
    ensure!(
        listed.lines().any(|line| line == name),
        "{name} is not in:\n{listed}"
    );
    Ok(())
}

fn pages_through_tags(scene: &Scene<'_>) -> Result<()> {
    let name = scene.logged_in()?.repository("app")?;
    let target = format!("{}/{name}", scene.host());
    push(scene, &format!("{target}:t0"), b"pages")?;
    let ask = json!({"repositoryName": name, "imageIds": [{"imageTag": "t0"}]});
    let got = scene.api("BatchGetImage", &ask)?["images"][0].clone();
    for number in 1..5 {
        let put = json!({
            "repositoryName": name, "imageTag": format!("t{number}"), "imageManifest": got["imageManifest"],
            "imageManifestMediaType": got["imageManifestMediaType"],
        });
        scene.api("PutImage", &put)?;
    }
    let page = regctl(scene)
        .args(["tag", "ls", "--limit", "2", &target])
        .text()?;
    ensure!(page == "t0\nt1", "{page}");
    let rest = regctl(scene)
        .args(["tag", "ls", "--limit", "10", "--last", "t1", &target])
        .text()?;
    ensure!(rest == "t2\nt3\nt4", "{rest}");
    Ok(())
}

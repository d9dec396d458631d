//! skopeo, the client of the containers project.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::harness::command::Command;
use crate::harness::image::{self, noise};
use crate::harness::{Case, Cases, Client, Scene};

pub(crate) fn client() -> Client {
    Client {
        name: "skopeo",
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
        "copies_an_oci_image_there_and_back",
        copies_an_oci_image_there_and_back,
    ),
    Case::new(
        "copies_a_docker_archive_and_inspects_it",
        copies_a_docker_archive_and_inspects_it,
    ),
    Case::new("copies_all_of_an_index", copies_all_of_an_index),
    Case::new(
        "copies_between_repositories_by_digest",
        copies_between_repositories_by_digest,
    ),
    Case::new("converts_to_schema_2", converts_to_schema_2),
    Case::new("compresses_with_zstd", compresses_with_zstd),
    Case::new("lists_and_deletes_tags", lists_and_deletes_tags),
    Case::new(
        "syncs_a_repository_to_a_directory",
        syncs_a_repository_to_a_directory,
    ),
    Case::new(
        "is_told_that_a_repository_is_missing",
        is_told_that_a_repository_is_missing,
    ),
    Case::new(
        "is_told_that_a_tag_is_immutable",
        is_told_that_a_tag_is_immutable,
    ),
    Case::new(
        "pulls_without_a_name_what_is_open_to_all",
        pulls_without_a_name_what_is_open_to_all,
    ),
];

fn version(scene: &Scene<'_>) -> Result<String> {
    let text = scene.command("skopeo").arg("--version").text()?;
    Ok(text.rsplit(' ').next().unwrap_or_default().to_owned())
}

fn skopeo(scene: &Scene<'_>, verb: &str) -> Command {
    scene.command("skopeo").args([verb, "--tls-verify=false"])
}

fn copy(scene: &Scene<'_>) -> Command {
    scene
        .command("skopeo")
        .args(["copy", "--src-tls-verify=false", "--dest-tls-verify=false"])
}

fn push(scene: &Scene<'_>, target: &str, contents: &[u8]) -> Result<String> {
    let path = scene.path(&format!("layout-{}", &image::digest(contents)[7..15]));
    let (layout, digest) = image::single(path, contents)?;
    copy(scene)
        .args([
            "--preserve-digests",
            &format!("oci:{}:v1", layout.path.display()),
            target,
        ])
        .run()?;
    Ok(digest)
}

/// Creates a repository and returns it as skopeo writes it.
fn target(scene: &Scene<'_>, suffix: &str) -> Result<String> {
    Ok(format!("docker://{}", scene.target(suffix)?))
}

fn logs_in_with_a_password_from_stdin(scene: &Scene<'_>) -> Result<()> {
    let login =
        skopeo(scene, "login").args(["--username", "AWS", "--password-stdin", scene.host()]);
    let said = login.stdin(scene.world.password.as_bytes())?.text()?;
    ensure!(said.contains("Login Succeeded"), "{said}");
    let who = scene
        .command("skopeo")
        .args(["login", "--get-login", scene.host()])
        .text()?;
    ensure!(who == "AWS", "logged in as {who}");
    push(
        scene,
        &format!("{}:v1", target(scene, "app")?),
        b"after login",
    )?;
    Ok(())
}

fn is_refused_with_a_wrong_password(scene: &Scene<'_>) -> Result<()> {
    let login =
        skopeo(scene, "login").args(["--username", "AWS", "--password-stdin", scene.host()]);
    login
        .stdin(b"wrong")?
        .refused(&["invalid username/password"])
}

fn copies_an_oci_image_there_and_back(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:v1", target(scene.logged_in()?, "app")?);
    let digest = push(scene, &target, &noise(3, 2_000_000))?;
    let told = skopeo(scene, "inspect").arg(&target).json()?;
    ensure!(told["Digest"] == digest.as_str(), "inspected {told}");
    copy(scene)
        .args(["--preserve-digests", &target, "oci:back:v1"])
        .run()?;
    let index: serde_json::Value =
        serde_json::from_slice(&std::fs::read(scene.path("back/index.json"))?)?;
    ensure!(
        index["manifests"][0]["digest"] == digest.as_str(),
        "came back as {index}"
    );
    Ok(())
}

fn copies_a_docker_archive_and_inspects_it(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:v1", target(scene.logged_in()?, "app")?);
    image::docker_archive(&scene.path("image.tar"), "archive:v1", b"from an archive")?;
    copy(scene)
        .args(["docker-archive:image.tar", &target])
        .run()?;
    let manifest = skopeo(scene, "inspect").args(["--raw", &target]).json()?;
    ensure!(
        manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json",
        "{manifest}"
    );
    let config = skopeo(scene, "inspect")
        .args(["--config", &target])
        .json()?;
    ensure!(config["architecture"] == "amd64", "{config}");
    copy(scene)
        .args([&target, "docker-archive:back.tar:archive:v1"])
        .run()?;
    Ok(())
}

fn copies_all_of_an_index(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:v1", target(scene.logged_in()?, "app")?);
    let (layout, digest) = image::multi(scene.path("layout"), b"all")?;
    let source = format!("oci:{}:v1", layout.path.display());
    copy(scene)
        .args(["--all", "--preserve-digests", &source, &target])
        .run()?;
    let raw = skopeo(scene, "inspect")
        .args(["--raw", &target])
        .run()?
        .stdout;
    ensure!(
        image::digest(raw.as_bytes()) == digest,
        "the index changed: {raw}"
    );
    copy(scene)
        .args(["--all", &target, "dir:everything"])
        .run()?;
    let arm = skopeo(scene, "inspect")
        .args(["--config", "--override-arch", "arm64", &target])
        .json();
    // Debian's skopeo takes the override as a global flag only.
    let arm = match arm {
        Ok(config) => config,
        Err(_) => scene
            .command("skopeo")
            .args([
                "--override-arch",
                "arm64",
                "inspect",
                "--tls-verify=false",
                "--config",
                &target,
            ])
            .json()?,
    };
    ensure!(arm["architecture"] == "arm64", "{arm}");
    Ok(())
}

fn copies_between_repositories_by_digest(scene: &Scene<'_>) -> Result<()> {
    let from = target(scene.logged_in()?, "from")?;
    let to = target(scene, "to")?;
    let digest = push(scene, &format!("{from}:v1"), &noise(4, 500_000))?;
    copy(scene)
        .args([
            "--preserve-digests",
            &format!("{from}@{digest}"),
            &format!("{to}:v2"),
        ])
        .run()?;
    let told = skopeo(scene, "inspect").arg(format!("{to}:v2")).json()?;
    ensure!(told["Digest"] == digest.as_str(), "{told}");
    Ok(())
}

fn converts_to_schema_2(scene: &Scene<'_>) -> Result<()> {
    let target = target(scene.logged_in()?, "app")?;
    push(scene, &format!("{target}:oci"), b"convert")?;
    copy(scene)
        .args([
            "--format",
            "v2s2",
            &format!("{target}:oci"),
            &format!("{target}:docker"),
        ])
        .run()?;
    let manifest = skopeo(scene, "inspect")
        .args(["--raw", &format!("{target}:docker")])
        .json()?;
    ensure!(
        manifest["config"]["mediaType"] == "application/vnd.docker.container.image.v1+json",
        "{manifest}"
    );
    Ok(())
}

fn compresses_with_zstd(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:zstd", target(scene.logged_in()?, "app")?);
    let (layout, _) = image::single(scene.path("layout"), b"zstd")?;
    let source = format!("oci:{}:v1", layout.path.display());
    copy(scene)
        .args([
            "--dest-compress",
            "--dest-compress-format",
            "zstd",
            &source,
            &target,
        ])
        .run()?;
    let manifest = skopeo(scene, "inspect").args(["--raw", &target]).json()?;
    ensure!(
        manifest["layers"][0]["mediaType"] == "application/vnd.oci.image.layer.v1.tar+zstd",
        "{manifest}"
    );
    copy(scene).args([&target, "oci:back:v1"]).run()?;
    Ok(())
}

fn lists_and_deletes_tags(scene: &Scene<'_>) -> Result<()> {
    let target = target(scene.logged_in()?, "app")?;
    push(scene, &format!("{target}:v1"), b"one")?;
    push(scene, &format!("{target}:v2"), b"two")?;
    let tags =
        || Ok::<_, anyhow::Error>(skopeo(scene, "list-tags").arg(&target).json()?["Tags"].clone());
    ensure!(tags()? == json!(["v1", "v2"]), "tags {}", tags()?);
    skopeo(scene, "delete").arg(format!("{target}:v1")).run()?;
    ensure!(tags()? == json!(["v2"]), "tags {}", tags()?);
    Ok(())
}

fn syncs_a_repository_to_a_directory(scene: &Scene<'_>) -> Result<()> {
    let plain = scene.logged_in()?.target("app")?;
    let target = format!("docker://{plain}");
    push(scene, &format!("{target}:v1"), b"sync one")?;
    push(scene, &format!("{target}:v2"), b"sync two")?;
    let sync = [
        "sync",
        "--src-tls-verify=false",
        "--src",
        "docker",
        "--dest",
        "dir",
        &plain,
        "copies",
    ];
    scene.command("skopeo").args(sync).run()?;
    let copied = std::fs::read_dir(scene.path("copies"))
        .context("nothing was synced")?
        .count();
    ensure!(copied == 2, "{copied} images were synced");
    Ok(())
}

fn is_told_that_a_repository_is_missing(scene: &Scene<'_>) -> Result<()> {
    let absent = format!("{}/absent", scene.logged_in()?.prefix());
    let reason = format!(
        "The repository with name '{absent}' does not exist in the registry with id '000000000000'"
    );
    let target = format!("docker://{}/{absent}:v1", scene.host());
    skopeo(scene, "inspect").arg(target).refused(&[&reason])
}

fn is_told_that_a_tag_is_immutable(scene: &Scene<'_>) -> Result<()> {
    let name = scene
        .logged_in()?
        .repository_with("app", &json!({"imageTagMutability": "IMMUTABLE"}))?;
    let target = format!("docker://{}/{name}:v1", scene.host());
    push(scene, &target, b"first")?;
    let (layout, _) = image::single(scene.path("second"), b"second")?;
    let reason = format!("The image tag 'v1' already exists in the '{name}' repository");
    copy(scene)
        .args([&format!("oci:{}:v1", layout.path.display()), &target])
        .refused(&[&reason])
}

fn pulls_without_a_name_what_is_open_to_all(scene: &Scene<'_>) -> Result<()> {
    let name = scene.logged_in()?.repository("app")?;
    let target = format!("docker://{}/{name}:v1", scene.host());
    let digest = push(scene, &target, b"public")?;
    scene.logged_out()?;
    let pull = || copy(scene).args([target.as_str(), "oci:back:v1"]);
    pull().refused(&["unauthorized"])?;
    scene.open_to_all(&name)?;
    pull().run()?;
    let told = skopeo(scene, "inspect")
        .args(["--no-tags", &target])
        .json()?;
    ensure!(told["Digest"] == digest.as_str(), "inspected {told}");
    copy(scene)
        .args(["oci:back:v1", &target])
        .refused(&["unauthorized"])
}

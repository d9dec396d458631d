//! Docker: the real daemon and its command line.

use std::fmt::Write;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::harness::command::Command;
use crate::harness::image::{self, noise};
use crate::harness::{Case, Cases, Client, Scene, tar};

pub(crate) fn client() -> Client {
    Client {
        name: "docker",
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
        "builds_pushes_and_pulls_by_tag_and_digest",
        builds_pushes_and_pulls_by_tag_and_digest,
    ),
    Case::new(
        "builds_with_buildkit_and_pushes",
        builds_with_buildkit_and_pushes,
    ),
    Case::new(
        "pushes_again_without_uploading",
        pushes_again_without_uploading,
    ),
    Case::new("moves_a_tag", moves_a_tag),
    Case::new("pushes_and_pulls_all_tags", pushes_and_pulls_all_tags),
    Case::new("pushes_a_loaded_archive", pushes_a_loaded_archive),
    Case::new(
        "pushes_an_imported_file_system",
        pushes_an_imported_file_system,
    ),
    Case::new(
        "mounts_layers_from_another_repository",
        mounts_layers_from_another_repository,
    ),
    Case::new(
        "pushes_a_manifest_list_and_pulls_it",
        pushes_a_manifest_list_and_pulls_it,
    ),
    Case::new("moves_many_layers_at_once", moves_many_layers_at_once),
    Case::new(
        "is_told_that_a_repository_is_missing",
        is_told_that_a_repository_is_missing,
    ),
    Case::new(
        "is_told_that_an_image_is_missing",
        is_told_that_an_image_is_missing,
    ),
    Case::new(
        "is_told_that_a_tag_is_immutable",
        is_told_that_a_tag_is_immutable,
    ),
    Case::new("cannot_pull_once_logged_out", cannot_pull_once_logged_out),
    Case::new(
        "pulls_without_a_name_what_is_open_to_all",
        pulls_without_a_name_what_is_open_to_all,
    ),
];

fn version(scene: &Scene<'_>) -> Result<String> {
    let format = "{{.Client.Version}}";
    docker(scene)?.args(["version", "--format", format]).text()
}

/// The command line against the suite's own daemon.
pub(super) fn docker(scene: &Scene<'_>) -> Result<Command> {
    Ok(scene
        .command("docker")
        .env("DOCKER_HOST", scene.world.dockerd()?.host())
        .env("DOCKER_BUILDKIT", "0"))
}

fn login(scene: &Scene<'_>, password: &str) -> Result<Command> {
    docker(scene)?
        .args([
            "login",
            "--username",
            "AWS",
            "--password-stdin",
            scene.host(),
        ])
        .stdin(password.as_bytes())
}

/// Builds an image of one file and tags it.
pub(super) fn build(scene: &Scene<'_>, reference: &str, contents: &str) -> Result<()> {
    context(scene, contents)?;
    docker(scene)?
        .args(["build", "--quiet", "--tag", reference, "context"])
        .run()
        .map(drop)
}

fn context(scene: &Scene<'_>, contents: &str) -> Result<()> {
    scene.file(
        "context/Dockerfile",
        "FROM scratch\nCOPY hello /hello\nCMD [\"/hello\"]\n",
    )?;
    // The prefix keeps the layers of one case apart from those of all others.
    scene.file("context/hello", format!("{} {contents}", scene.prefix()))?;
    Ok(())
}

fn push(scene: &Scene<'_>, reference: &str) -> Result<String> {
    Ok(docker(scene)?.args(["push", reference]).run()?.stdout)
}

fn image_id(scene: &Scene<'_>, reference: &str) -> Result<String> {
    docker(scene)?
        .args(["image", "inspect", "--format", "{{.Id}}", reference])
        .text()
}

/// Forgets local images, so that a pull has to fetch them.
fn forget(scene: &Scene<'_>, references: &[&str]) -> Result<()> {
    docker(scene)?
        .args(["rmi", "--force"])
        .args(references)
        .run()
        .map(drop)
}

/// The digest that a push reports.
fn pushed_digest(said: &str) -> Result<String> {
    let digest = said
        .split_whitespace()
        .find(|word| word.starts_with("sha256:"));
    Ok(digest.context("the push told no digest")?.to_owned())
}

fn logs_in_with_a_password_from_stdin(scene: &Scene<'_>) -> Result<()> {
    let said = login(scene, &scene.world.password)?.text()?;
    ensure!(said.contains("Login Succeeded"), "{said}");
    let target = format!("{}:v1", scene.target("app")?);
    build(scene, &target, "after login")?;
    push(scene, &target).map(drop)
}

fn is_refused_with_a_wrong_password(scene: &Scene<'_>) -> Result<()> {
    login(scene, "wrong")?.refused(&["unauthorized"])
}

fn builds_pushes_and_pulls_by_tag_and_digest(scene: &Scene<'_>) -> Result<()> {
    let target = scene.logged_in()?.target("app")?;
    let tagged = format!("{target}:v1");
    build(scene, &tagged, "round trip")?;
    let id = image_id(scene, &tagged)?;
    let digest = pushed_digest(&push(scene, &tagged)?)?;
    forget(scene, &[&tagged])?;
    docker(scene)?.args(["pull", &tagged]).run()?;
    ensure!(
        image_id(scene, &tagged)? == id,
        "another image came back by tag"
    );
    forget(scene, &[&id])?;
    let pinned = format!("{target}@{digest}");
    docker(scene)?.args(["pull", &pinned]).run()?;
    ensure!(
        image_id(scene, &pinned)? == id,
        "another image came back by digest"
    );
    Ok(())
}

fn builds_with_buildkit_and_pushes(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:v1", scene.logged_in()?.target("app")?);
    context(scene, "buildkit")?;
    let build = docker(scene)?.env("DOCKER_BUILDKIT", "1").args([
        "build",
        "--progress=plain",
        "--tag",
        &target,
    ]);
    build
        .args(["--build-arg", "BUILDKIT_INLINE_CACHE=1", "context"])
        .run()?;
    push(scene, &target).map(drop)
}

fn pushes_again_without_uploading(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:v1", scene.logged_in()?.target("app")?);
    build(scene, &target, "again")?;
    let first = push(scene, &target)?;
    let second = push(scene, &target)?;
    ensure!(second.contains("Layer already exists"), "{second}");
    ensure!(
        pushed_digest(&first)? == pushed_digest(&second)?,
        "{first}{second}"
    );
    Ok(())
}

fn moves_a_tag(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:latest", scene.logged_in()?.target("app")?);
    build(scene, &target, "old")?;
    push(scene, &target)?;
    build(scene, &target, "new")?;
    let id = image_id(scene, &target)?;
    push(scene, &target)?;
    forget(scene, &[&target])?;
    docker(scene)?.args(["pull", &target]).run()?;
    ensure!(image_id(scene, &target)? == id, "the tag did not move");
    Ok(())
}

fn pushes_and_pulls_all_tags(scene: &Scene<'_>) -> Result<()> {
    let target = scene.logged_in()?.target("app")?;
    let tags: Vec<_> = ["v1", "v2", "v3"]
        .iter()
        .map(|tag| format!("{target}:{tag}"))
        .collect();
    for tag in &tags {
        build(scene, tag, tag)?;
    }
    docker(scene)?.args(["push", "--all-tags", &target]).run()?;
    for tag in &tags {
        forget(scene, &[tag])?;
    }
    docker(scene)?.args(["pull", "--all-tags", &target]).run()?;
    for tag in &tags {
        image_id(scene, tag)?;
    }
    Ok(())
}

fn pushes_a_loaded_archive(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:v1", scene.logged_in()?.target("app")?);
    image::docker_archive(&scene.path("image.tar"), &target, scene.prefix().as_bytes())?;
    let said = docker(scene)?
        .args(["load", "--input", "image.tar"])
        .text()?;
    ensure!(said.contains(&target), "{said}");
    push(scene, &target).map(drop)
}

fn pushes_an_imported_file_system(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:v1", scene.logged_in()?.target("app")?);
    scene.file(
        "root.tar",
        tar::pack(&[
            ("data", &noise(5, 8_000_000)),
            ("name", scene.prefix().as_bytes()),
        ]),
    )?;
    docker(scene)?.args(["import", "root.tar", &target]).run()?;
    let id = image_id(scene, &target)?;
    push(scene, &target)?;
    forget(scene, &[&target])?;
    docker(scene)?.args(["pull", &target]).run()?;
    ensure!(image_id(scene, &target)? == id, "another image came back");
    Ok(())
}

fn mounts_layers_from_another_repository(scene: &Scene<'_>) -> Result<()> {
    let from = format!("{}:v1", scene.logged_in()?.target("from")?);
    let to = format!("{}:v1", scene.target("to")?);
    build(scene, &from, "mounted")?;
    push(scene, &from)?;
    docker(scene)?.args(["tag", &from, &to]).run()?;
    let said = push(scene, &to)?;
    ensure!(said.contains("Mounted from"), "{said}");
    Ok(())
}

fn pushes_a_manifest_list_and_pulls_it(scene: &Scene<'_>) -> Result<()> {
    let target = scene.logged_in()?.target("app")?;
    let [amd, arm, list] = ["amd64", "arm64", "v1"].map(|tag| format!("{target}:{tag}"));
    for reference in [&amd, &arm] {
        build(scene, reference, reference)?;
        push(scene, reference)?;
    }
    let id = image_id(scene, &amd)?;
    let manifest = |verb: &str| Ok::<_, anyhow::Error>(docker(scene)?.args(["manifest", verb]));
    manifest("create")?
        .args(["--insecure", &list, &amd, &arm])
        .run()?;
    manifest("annotate")?
        .args(["--arch", "arm64", &list, &arm])
        .run()?;
    let digest = manifest("push")?.args(["--insecure", &list]).text()?;
    ensure!(digest.contains("sha256:"), "{digest}");
    forget(scene, &[&amd, &arm])?;
    docker(scene)?.args(["pull", &list]).run()?;
    ensure!(
        image_id(scene, &list)? == id,
        "the wrong platform came back"
    );
    Ok(())
}

fn moves_many_layers_at_once(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:v1", scene.logged_in()?.target("app")?);
    let mut dockerfile = "FROM scratch\n".to_owned();
    for number in 0..8 {
        scene.file(
            &format!("context/file-{number}"),
            noise(100 + number, 700_000),
        )?;
        writeln!(dockerfile, "COPY file-{number} /")?;
    }
    scene.file("context/Dockerfile", dockerfile)?;
    docker(scene)?
        .args(["build", "--quiet", "--tag", &target, "context"])
        .run()?;
    let id = image_id(scene, &target)?;
    push(scene, &target)?;
    forget(scene, &[&target])?;
    docker(scene)?.args(["pull", &target]).run()?;
    ensure!(image_id(scene, &target)? == id, "another image came back");
    Ok(())
}

fn is_told_that_a_repository_is_missing(scene: &Scene<'_>) -> Result<()> {
    let name = format!("{}/absent", scene.logged_in()?.prefix());
    let target = format!("{}/{name}:v1", scene.host());
    build(scene, &target, "nowhere")?;
    let reason = format!(
        "name unknown: The repository with name '{name}' does not exist in the registry with id '000000000000'"
    );
    docker(scene)?.args(["push", &target]).refused(&[&reason])
}

fn is_told_that_an_image_is_missing(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:absent", scene.logged_in()?.target("app")?);
    docker(scene)?
        .args(["pull", &target])
        .refused(&["manifest unknown: Requested image not found"])
}

fn is_told_that_a_tag_is_immutable(scene: &Scene<'_>) -> Result<()> {
    let name = scene
        .logged_in()?
        .repository_with("app", &json!({"imageTagMutability": "IMMUTABLE"}))?;
    let target = format!("{}/{name}:v1", scene.host());
    build(scene, &target, "first")?;
    push(scene, &target)?;
    build(scene, &target, "second")?;
    let reason = format!(
        "tag invalid: The image tag 'v1' already exists in the '{name}' repository and cannot be overwritten because the repository is immutable."
    );
    docker(scene)?.args(["push", &target]).refused(&[&reason])
}

fn cannot_pull_once_logged_out(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:v1", scene.target("app")?);
    login(scene, &scene.world.password)?.run()?;
    build(scene, &target, "private")?;
    push(scene, &target)?;
    forget(scene, &[&target])?;
    docker(scene)?.args(["logout", scene.host()]).run()?;
    docker(scene)?.args(["pull", &target]).refused(&[])
}

fn pulls_without_a_name_what_is_open_to_all(scene: &Scene<'_>) -> Result<()> {
    let name = scene.logged_in()?.repository("app")?;
    let target = format!("{}/{name}:v1", scene.host());
    build(scene, &target, "public")?;
    let id = image_id(scene, &target)?;
    push(scene, &target)?;
    forget(scene, &[&target])?;
    scene.logged_out()?;
    docker(scene)?.args(["pull", &target]).refused(&[])?;
    scene.open_to_all(&name)?;
    docker(scene)?.args(["pull", &target]).run()?;
    ensure!(image_id(scene, &target)? == id, "another image came back");
    docker(scene)?.args(["push", &target]).refused(&[])
}

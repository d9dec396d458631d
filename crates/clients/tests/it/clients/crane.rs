//! crane, the client of go-containerregistry.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::harness::image::{self, noise};
use crate::harness::{Case, Cases, Client, Scene, tar};

pub(crate) fn client() -> Client {
    Client {
        name: "crane",
        version: |scene| scene.command("crane").arg("version").text(),
        cases: Cases::Functions(CASES),
    }
}

const CASES: &[Case] = &[
    Case::new(
        "logs_in_and_lists_the_catalog",
        logs_in_and_lists_the_catalog,
    ),
    Case::new(
        "is_refused_with_a_wrong_password",
        is_refused_with_a_wrong_password,
    ),
    Case::new(
        "pushes_and_pulls_an_image_unchanged",
        pushes_and_pulls_an_image_unchanged,
    ),
    Case::new(
        "pushes_an_index_and_picks_a_platform",
        pushes_an_index_and_picks_a_platform,
    ),
    Case::new("lists_and_deletes_tags", lists_and_deletes_tags),
    Case::new("copies_between_repositories", copies_between_repositories),
    Case::new(
        "appends_a_layer_and_exports_it",
        appends_a_layer_and_exports_it,
    ),
    Case::new(
        "mutates_labels_into_a_new_image",
        mutates_labels_into_a_new_image,
    ),
    Case::new("flattens_an_image", flattens_an_image),
    Case::new("appends_to_an_index", appends_to_an_index),
    Case::new(
        "is_told_that_a_repository_is_missing",
        is_told_that_a_repository_is_missing,
    ),
    Case::new(
        "is_told_that_a_tag_is_missing",
        is_told_that_a_tag_is_missing,
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

/// Pushes an image with these contents and returns its digest.
fn push(scene: &Scene<'_>, reference: &str, contents: &[u8]) -> Result<String> {
    let (layout, digest) = image::single(
        scene.path(&format!("layout-{}", &image::digest(contents)[7..15])),
        contents,
    )?;
    scene
        .command("crane")
        .arg("push")
        .arg(&layout.path)
        .arg(reference)
        .run()?;
    Ok(digest)
}

fn digest_of(scene: &Scene<'_>, reference: &str) -> Result<String> {
    scene.command("crane").args(["digest", reference]).text()
}

fn logs_in_and_lists_the_catalog(scene: &Scene<'_>) -> Result<()> {
    let repository = scene.repository("app")?;
    let password = scene.world.password.as_bytes();
    scene
        .command("crane")
        .args([
            "auth",
            "login",
            "--username",
            "AWS",
            "--password-stdin",
            scene.host(),
        ])
        .stdin(password)?
        .run()?;
    let catalog = scene
        .command("crane")
        .args(["catalog", scene.host()])
        .text()?;
    ensure!(
        catalog.lines().any(|line| line == repository),
        "{repository} is not in:\n{catalog}"
    );
    Ok(())
}

fn is_refused_with_a_wrong_password(scene: &Scene<'_>) -> Result<()> {
    let target = scene.target("app")?;
    let login = [
        "auth",
        "login",
        "--username",
        "AWS",
        "--password",
        "wrong",
        scene.host(),
    ];
    scene.command("crane").args(login).run()?;
    scene
        .command("crane")
        .args(["ls", &target])
        .refused(&["UNAUTHORIZED: authentication required"])
}

fn pushes_and_pulls_an_image_unchanged(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:v1", scene.logged_in()?.target("app")?);
    let contents = noise(1, 3_000_000);
    let digest = push(scene, &target, &contents)?;
    ensure!(digest_of(scene, &target)? == digest, "the digest changed");
    scene
        .command("crane")
        .args(["validate", "--remote", &target])
        .run()?;
    scene
        .command("crane")
        .args(["pull", "--format", "oci", &target, "pulled"])
        .run()?;
    scene
        .command("crane")
        .args(["push", "pulled", &format!("{target}-again")])
        .run()?;
    ensure!(
        digest_of(scene, &format!("{target}-again"))? == digest,
        "the pulled image is another"
    );
    Ok(())
}

fn pushes_an_index_and_picks_a_platform(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:v1", scene.logged_in()?.target("app")?);
    let (layout, digest) = image::multi(scene.path("layout"), b"many")?;
    scene
        .command("crane")
        .arg("push")
        .arg(&layout.path)
        .arg(&target)
        .run()?;
    ensure!(digest_of(scene, &target)? == digest, "the index changed");
    let config = scene
        .command("crane")
        .args(["config", "--platform", "linux/arm64", &target])
        .json()?;
    ensure!(config["architecture"] == "arm64", "{config}");
    Ok(())
}

fn lists_and_deletes_tags(scene: &Scene<'_>) -> Result<()> {
    let target = scene.logged_in()?.target("app")?;
    let digest = push(scene, &format!("{target}:v1"), b"tags")?;
    scene
        .command("crane")
        .args(["tag", &format!("{target}:v1"), "v2"])
        .run()?;
    let tags = || scene.command("crane").args(["ls", &target]).text();
    ensure!(tags()? == "v1\nv2", "tags {}", tags()?);
    scene
        .command("crane")
        .args(["delete", &format!("{target}:v2")])
        .run()?;
    ensure!(tags()? == "v1", "tags {}", tags()?);
    scene
        .command("crane")
        .args(["delete", &format!("{target}@{digest}")])
        .run()?;
    ensure!(tags()?.is_empty(), "tags {}", tags()?);
    Ok(())
}

fn copies_between_repositories(scene: &Scene<'_>) -> Result<()> {
    let from = scene.logged_in()?.target("from")?;
    let to = scene.target("to")?;
    let (layout, digest) = image::multi(scene.path("layout"), &noise(2, 100_000))?;
    scene
        .command("crane")
        .arg("push")
        .arg(&layout.path)
        .arg(format!("{from}:v1"))
        .run()?;
    scene
        .command("crane")
        .args(["copy", &format!("{from}:v1"), &format!("{to}:v1")])
        .run()?;
    ensure!(
        digest_of(scene, &format!("{to}:v1"))? == digest,
        "the copy differs"
    );
    scene
        .command("crane")
        .args(["validate", "--remote", &format!("{to}:v1")])
        .run()?;
    Ok(())
}

fn appends_a_layer_and_exports_it(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:v1", scene.logged_in()?.target("app")?);
    scene.file(
        "layer.tar",
        tar::pack(&[("greeting", b"hello from a layer")]),
    )?;
    scene
        .command("crane")
        .args(["append", "--new_layer", "layer.tar", "--new_tag", &target])
        .run()?;
    scene
        .command("crane")
        .args(["export", &target, "flat.tar"])
        .run()?;
    let flat = std::fs::read(scene.path("flat.tar"))?;
    ensure!(
        flat.windows(18)
            .any(|window| window == b"hello from a layer"),
        "the layer's file is gone"
    );
    Ok(())
}

fn mutates_labels_into_a_new_image(scene: &Scene<'_>) -> Result<()> {
    let target = scene.logged_in()?.target("app")?;
    push(scene, &format!("{target}:v1"), b"mutate")?;
    let labelled = format!("{target}:labelled");
    scene
        .command("crane")
        .args([
            "mutate",
            "--label",
            "team=harbour",
            "--tag",
            &labelled,
            &format!("{target}:v1"),
        ])
        .run()?;
    let config = scene.command("crane").args(["config", &labelled]).json()?;
    ensure!(config["config"]["Labels"]["team"] == "harbour", "{config}");
    Ok(())
}

fn flattens_an_image(scene: &Scene<'_>) -> Result<()> {
    let target = scene.logged_in()?.target("app")?;
    push(scene, &format!("{target}:v1"), b"flatten")?;
    scene.file("layer.tar", tar::pack(&[("second", b"2")]))?;
    let two = format!("{target}:two");
    scene
        .command("crane")
        .args([
            "append",
            "-b",
            &format!("{target}:v1"),
            "-f",
            "layer.tar",
            "-t",
            &two,
        ])
        .run()?;
    scene
        .command("crane")
        .args(["flatten", &two, "-t", &format!("{target}:flat")])
        .run()?;
    let manifest = scene
        .command("crane")
        .args(["manifest", &format!("{target}:flat")])
        .json()?;
    ensure!(
        manifest["layers"]
            .as_array()
            .is_some_and(|layers| layers.len() == 1),
        "{manifest}"
    );
    Ok(())
}

fn appends_to_an_index(scene: &Scene<'_>) -> Result<()> {
    let target = scene.logged_in()?.target("app")?;
    push(scene, &format!("{target}:one"), b"one")?;
    push(scene, &format!("{target}:two"), b"two")?;
    let all = format!("{target}:all");
    let members = [
        "-m",
        &format!("{target}:one"),
        "-m",
        &format!("{target}:two"),
    ];
    scene
        .command("crane")
        .args(["index", "append", "-t", &all])
        .args(members)
        .run()?;
    let index = scene.command("crane").args(["manifest", &all]).json()?;
    ensure!(
        index["manifests"]
            .as_array()
            .is_some_and(|manifests| manifests.len() == 2),
        "{index}"
    );
    Ok(())
}

fn is_told_that_a_repository_is_missing(scene: &Scene<'_>) -> Result<()> {
    let absent = format!("{}/absent", scene.logged_in()?.prefix());
    let reason = format!(
        "The repository with name '{absent}' does not exist in the registry with id '000000000000'"
    );
    let reference = format!("{}/{absent}:v1", scene.host());
    scene
        .command("crane")
        .args(["manifest", &reference])
        .refused(&["NAME_UNKNOWN", &reason])
}

fn is_told_that_a_tag_is_missing(scene: &Scene<'_>) -> Result<()> {
    let target = scene.logged_in()?.target("app")?;
    let reference = format!("{target}:absent");
    scene
        .command("crane")
        .args(["manifest", &reference])
        .refused(&["MANIFEST_UNKNOWN", "Requested image not found"])
}

fn is_told_that_a_tag_is_immutable(scene: &Scene<'_>) -> Result<()> {
    let name = scene
        .logged_in()?
        .repository_with("app", &json!({"imageTagMutability": "IMMUTABLE"}))?;
    let target = format!("{}/{name}:v1", scene.host());
    push(scene, &target, b"first")?;
    let (layout, _) = image::single(scene.path("second"), b"second")?;
    let reason = format!(
        "The image tag 'v1' already exists in the '{name}' repository and cannot be overwritten because the repository is immutable."
    );
    scene
        .command("crane")
        .arg("push")
        .arg(&layout.path)
        .arg(&target)
        .refused(&["TAG_INVALID", &reason])
}

fn pulls_without_a_name_what_is_open_to_all(scene: &Scene<'_>) -> Result<()> {
    let name = scene.logged_in()?.repository("app")?;
    let target = format!("{}/{name}:v1", scene.host());
    let digest = push(scene, &target, b"public")?;
    scene.logged_out()?;
    scene
        .command("crane")
        .args(["digest", &target])
        .refused(&["UNAUTHORIZED"])?;
    scene.open_to_all(&name)?;
    ensure!(digest_of(scene, &target)? == digest, "the digest changed");
    scene
        .command("crane")
        .args(["validate", "--remote", &target])
        .run()?;
    // It is open to pulls, not to changes or to a look around.
    scene
        .command("crane")
        .args(["tag", &target, "v2"])
        .refused(&["UNAUTHORIZED"])?;
    scene
        .command("crane")
        .args(["delete", &target])
        .refused(&["UNAUTHORIZED"])?;
    scene
        .command("crane")
        .args(["catalog", scene.host()])
        .refused(&["UNAUTHORIZED"])
}

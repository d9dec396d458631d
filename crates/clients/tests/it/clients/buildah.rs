//! buildah, the builder of the containers project.

use anyhow::{Result, ensure};

use crate::harness::command::Command;
use crate::harness::{Case, Cases, Client, Scene};

pub(crate) fn client() -> Client {
    Client {
        name: "buildah",
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
        "builds_from_scratch_pushes_and_pulls",
        builds_from_scratch_pushes_and_pulls,
    ),
    Case::new("pushes_zstd_layers", pushes_zstd_layers),
    Case::new("pushes_a_schema_2_image", pushes_a_schema_2_image),
    Case::new(
        "pushes_a_manifest_list_with_all_its_images",
        pushes_a_manifest_list_with_all_its_images,
    ),
    Case::new(
        "keeps_its_build_cache_in_the_registry",
        keeps_its_build_cache_in_the_registry,
    ),
    Case::new(
        "is_told_that_a_repository_is_missing",
        is_told_that_a_repository_is_missing,
    ),
];

fn version(scene: &Scene<'_>) -> Result<String> {
    let text = scene.command("buildah").arg("--version").text()?;
    Ok(text
        .split_whitespace()
        .nth(2)
        .unwrap_or_default()
        .to_owned())
}

/// buildah with a store of the case's own; `store` tells apart two machines of one case.
fn on(scene: &Scene<'_>, store: &str) -> Command {
    let file = |name: &str| scene.path(&format!("{store}/{name}")).display().to_string();
    let roots = [
        "--root",
        &file("root"),
        "--runroot",
        &file("run"),
        "--storage-driver",
        "vfs",
    ];
    scene
        .command("buildah")
        .args(roots)
        .env("BUILDAH_ISOLATION", "chroot")
}

fn buildah(scene: &Scene<'_>) -> Command {
    on(scene, "store")
}

/// Builds a local image of one file under a name.
fn build(scene: &Scene<'_>, name: &str, contents: &str) -> Result<()> {
    scene.file("context/hello", contents)?;
    scene.file(
        "context/Containerfile",
        "FROM scratch\nCOPY hello /hello\nENTRYPOINT [\"/hello\"]\n",
    )?;
    buildah(scene)
        .args(["build", "--tag", name, "context"])
        .run()
        .map(drop)
}

fn push(scene: &Scene<'_>, name: &str, target: &str, flags: &[&str]) -> Result<()> {
    let push = buildah(scene)
        .args(["push", "--tls-verify=false"])
        .args(flags);
    push.args([name, &format!("docker://{target}")])
        .run()
        .map(drop)
}

fn manifest(scene: &Scene<'_>, target: &str) -> Result<serde_json::Value> {
    scene
        .command("skopeo")
        .args([
            "inspect",
            "--tls-verify=false",
            "--raw",
            &format!("docker://{target}"),
        ])
        .json()
}

fn logs_in_with_a_password_from_stdin(scene: &Scene<'_>) -> Result<()> {
    let login = [
        "login",
        "--tls-verify=false",
        "--username",
        "AWS",
        "--password-stdin",
        scene.host(),
    ];
    let said = buildah(scene)
        .args(login)
        .stdin(scene.world.password.as_bytes())?
        .text()?;
    ensure!(said.contains("Login Succeeded"), "{said}");
    Ok(())
}

fn builds_from_scratch_pushes_and_pulls(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:v1", scene.logged_in()?.target("app")?);
    scene.file("hello", "made step by step")?;
    let container = buildah(scene).args(["from", "scratch"]).text()?;
    buildah(scene)
        .args(["copy", &container, "hello", "/hello"])
        .run()?;
    buildah(scene)
        .args(["config", "--label", "team=harbour", &container])
        .run()?;
    buildah(scene)
        .args(["commit", &container, "made:v1"])
        .run()?;
    push(scene, "made:v1", &target, &[])?;
    on(scene, "elsewhere")
        .args(["pull", "--tls-verify=false", &target])
        .run()?;
    let pulled = on(scene, "elsewhere")
        .args(["inspect", "--type", "image", &target])
        .json()?;
    ensure!(
        pulled["OCIv1"]["config"]["Labels"]["team"] == "harbour",
        "{pulled}"
    );
    Ok(())
}

fn pushes_zstd_layers(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:zstd", scene.logged_in()?.target("app")?);
    build(scene, "made:v1", "zstd")?;
    push(
        scene,
        "made:v1",
        &target,
        &["--format", "oci", "--compression-format", "zstd"],
    )?;
    let manifest = manifest(scene, &target)?;
    ensure!(
        manifest["layers"][0]["mediaType"] == "application/vnd.oci.image.layer.v1.tar+zstd",
        "{manifest}"
    );
    on(scene, "elsewhere")
        .args(["pull", "--tls-verify=false", &target])
        .run()
        .map(drop)
}

fn pushes_a_schema_2_image(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:docker", scene.logged_in()?.target("app")?);
    build(scene, "made:v1", "schema 2")?;
    push(scene, "made:v1", &target, &["--format", "v2s2"])?;
    let manifest = manifest(scene, &target)?;
    ensure!(
        manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json",
        "{manifest}"
    );
    Ok(())
}

fn pushes_a_manifest_list_with_all_its_images(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:all", scene.logged_in()?.target("app")?);
    scene.file("context/hello", "everywhere")?;
    scene.file("context/Containerfile", "FROM scratch\nCOPY hello /hello\n")?;
    for platform in ["linux/amd64", "linux/arm64"] {
        buildah(scene)
            .args([
                "build",
                "--platform",
                platform,
                "--manifest",
                "everywhere",
                "context",
            ])
            .run()?;
    }
    let push = [
        "manifest",
        "push",
        "--tls-verify=false",
        "--all",
        "everywhere",
        &format!("docker://{target}"),
    ];
    buildah(scene).args(push).run()?;
    let index = manifest(scene, &target)?;
    ensure!(
        index["manifests"]
            .as_array()
            .is_some_and(|manifests| manifests.len() == 2),
        "{index}"
    );
    Ok(())
}

fn keeps_its_build_cache_in_the_registry(scene: &Scene<'_>) -> Result<()> {
    let cache = scene.logged_in()?.target("cache")?;
    scene.file("context/hello", "cached")?;
    scene.file(
        "context/Containerfile",
        "FROM scratch\nCOPY hello /one\nCOPY hello /two\n",
    )?;
    let build = |store: &str| {
        let flags = [
            "build",
            "--layers",
            "--tls-verify=false",
            "--cache-from",
            &cache,
            "--cache-to",
            &cache,
        ];
        on(scene, store)
            .args(flags)
            .args(["--tag", "made:v1", "context"])
            .run()
    };
    let first = build("store")?;
    ensure!(first.stdout.contains("Pushing cache"), "{first:?}");
    let second = build("elsewhere")?;
    ensure!(
        second.stdout.contains("Cache pulled from remote"),
        "{second:?}"
    );
    Ok(())
}

fn is_told_that_a_repository_is_missing(scene: &Scene<'_>) -> Result<()> {
    let absent = format!("{}/absent", scene.logged_in()?.prefix());
    build(scene, "made:v1", "nowhere")?;
    let target = format!("docker://{}/{absent}:v1", scene.host());
    let reason = format!(
        "The repository with name '{absent}' does not exist in the registry with id '000000000000'"
    );
    buildah(scene)
        .args(["push", "--tls-verify=false", "made:v1", &target])
        .refused(&[&reason])
}

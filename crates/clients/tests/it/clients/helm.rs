//! Helm: charts as OCI artifacts.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::harness::command::Command;
use crate::harness::{Case, Cases, Client, Scene};

pub(crate) fn client() -> Client {
    Client {
        name: "helm",
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
    Case::new("pushes_and_pulls_a_chart", pushes_and_pulls_a_chart),
    Case::new(
        "renders_a_chart_from_the_registry",
        renders_a_chart_from_the_registry,
    ),
    Case::new(
        "finds_the_newest_version_in_a_range",
        finds_the_newest_version_in_a_range,
    ),
    Case::new(
        "pushes_a_version_with_build_metadata",
        pushes_a_version_with_build_metadata,
    ),
    Case::new(
        "is_described_by_its_config_media_type",
        is_described_by_its_config_media_type,
    ),
    Case::new(
        "is_told_that_a_repository_is_missing",
        is_told_that_a_repository_is_missing,
    ),
];

fn version(scene: &Scene<'_>) -> Result<String> {
    scene
        .command("helm")
        .args(["version", "--template", "{{.Version}}"])
        .text()
}

/// Pulls a version into an empty directory and returns the archive's bytes.
fn pull(scene: &Scene<'_>, chart: &str, version: &str) -> Result<Vec<u8>> {
    std::fs::create_dir(scene.path("pulled"))?;
    helm(scene)
        .args([
            "pull",
            "--plain-http",
            chart,
            "--version",
            version,
            "--destination",
            "pulled",
        ])
        .run()?;
    Ok(std::fs::read(
        scene.path(&format!("pulled/app-{version}.tgz")),
    )?)
}

fn helm(scene: &Scene<'_>) -> Command {
    scene
        .command("helm")
        .env("HELM_REGISTRY_CONFIG", scene.path("docker/config.json"))
}

fn login(scene: &Scene<'_>, password: &str) -> Result<Command> {
    let login = [
        "registry",
        "login",
        "--plain-http",
        "--username",
        "AWS",
        "--password-stdin",
        scene.host(),
    ];
    helm(scene).args(login).stdin(password.as_bytes())
}

/// Packages a chart of this version and returns the archive's name.
fn package(scene: &Scene<'_>, version: &str) -> Result<String> {
    scene.file(
        "app/Chart.yaml",
        format!("apiVersion: v2\nname: app\nversion: {version}\n"),
    )?;
    scene.file(
        "app/templates/map.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: harbour\n",
    )?;
    helm(scene).args(["package", "app"]).run()?;
    Ok(format!("app-{version}.tgz"))
}

/// Creates the repository of the chart `app`, pushes these versions, and returns the chart's URL.
fn pushed(scene: &Scene<'_>, versions: &[&str]) -> Result<String> {
    scene.logged_in()?.repository("app")?;
    let parent = format!("oci://{}/{}", scene.host(), scene.prefix());
    for version in versions {
        let archive = package(scene, version)?;
        helm(scene)
            .args(["push", "--plain-http", &archive, &parent])
            .run()?;
    }
    Ok(format!("{parent}/app"))
}

fn logs_in_with_a_password_from_stdin(scene: &Scene<'_>) -> Result<()> {
    let output = login(scene, &scene.world.password)?.run()?;
    ensure!(
        format!("{}{}", output.stdout, output.stderr).contains("Login Succeeded"),
        "{output:?}"
    );
    Ok(())
}

fn is_refused_with_a_wrong_password(scene: &Scene<'_>) -> Result<()> {
    login(scene, "wrong")?.refused(&["401"])
}

fn pushes_and_pulls_a_chart(scene: &Scene<'_>) -> Result<()> {
    let chart = pushed(scene, &["1.2.3"])?;
    let original = std::fs::read(scene.path("app-1.2.3.tgz"))?;
    ensure!(
        pull(scene, &chart, "1.2.3")? == original,
        "another chart came back"
    );
    Ok(())
}

fn renders_a_chart_from_the_registry(scene: &Scene<'_>) -> Result<()> {
    let chart = pushed(scene, &["1.0.0"])?;
    let shown = helm(scene)
        .args(["show", "chart", "--plain-http", &chart])
        .text()?;
    ensure!(shown.contains("name: app"), "{shown}");
    let rendered = helm(scene)
        .args(["template", "--plain-http", "release", &chart])
        .text()?;
    ensure!(rendered.contains("name: harbour"), "{rendered}");
    Ok(())
}

fn finds_the_newest_version_in_a_range(scene: &Scene<'_>) -> Result<()> {
    let chart = pushed(scene, &["1.0.0", "1.1.0", "2.0.0"])?;
    let shown = helm(scene)
        .args(["show", "chart", "--plain-http", "--version", "^1", &chart])
        .text()?;
    ensure!(shown.contains("version: 1.1.0"), "{shown}");
    Ok(())
}

fn pushes_a_version_with_build_metadata(scene: &Scene<'_>) -> Result<()> {
    let chart = pushed(scene, &["1.0.0+build.7"])?;
    // A tag cannot hold a plus sign: Helm writes an underscore.
    let ask = json!({"repositoryName": format!("{}/app", scene.prefix())});
    let listed = scene.api("ListImages", &ask)?;
    ensure!(
        listed["imageIds"][0]["imageTag"] == "1.0.0_build.7",
        "{listed}"
    );
    pull(scene, &chart, "1.0.0+build.7").map(drop)
}

fn is_described_by_its_config_media_type(scene: &Scene<'_>) -> Result<()> {
    pushed(scene, &["1.0.0"])?;
    let ask = json!({"repositoryName": format!("{}/app", scene.prefix())});
    let described = scene.api("DescribeImages", &ask)?;
    let detail = &described["imageDetails"][0];
    ensure!(
        detail["artifactMediaType"] == "application/vnd.cncf.helm.config.v1+json",
        "{detail}"
    );
    Ok(())
}

fn is_told_that_a_repository_is_missing(scene: &Scene<'_>) -> Result<()> {
    let archive = package(scene.logged_in()?, "1.0.0")?;
    let parent = format!("oci://{}/{}", scene.host(), scene.prefix());
    let reason = format!(
        "The repository with name '{}/app' does not exist",
        scene.prefix()
    );
    let said = reason.to_lowercase();
    let output = helm(scene)
        .args(["push", "--plain-http", &archive, &parent])
        .whatever()?;
    let all = format!("{}{}", output.stdout, output.stderr).to_lowercase();
    ensure!(all.contains(&said), "{all}");
    Ok(())
}

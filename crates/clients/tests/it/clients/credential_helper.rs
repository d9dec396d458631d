//! Amazon's credential helper, and clients that use it, against ECR-shaped host names with real TLS.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::docker;
use crate::harness::command::Command;
use crate::harness::image::{self, noise};
use crate::harness::namespace::{ECR_API_HOST, ECR_HOST};
use crate::harness::{Case, Cases, Client, Scene};

const HELPER: &str = "docker-credential-ecr-login";

pub(crate) fn client() -> Client {
    Client {
        name: "ecr-login",
        version,
        cases: Cases::Functions(CASES),
    }
}

const CASES: &[Case] = &[
    Case::new(
        "lists_no_registry_before_its_first_use",
        lists_no_registry_before_its_first_use,
    ),
    Case::new(
        "gets_credentials_for_the_registry_host",
        gets_credentials_for_the_registry_host,
    ),
    Case::new(
        "lets_the_cli_reach_the_default_endpoint",
        lets_the_cli_reach_the_default_endpoint,
    ),
    Case::new("lets_crane_push_and_pull", lets_crane_push_and_pull),
    Case::new("lets_skopeo_push_and_pull", lets_skopeo_push_and_pull),
    Case::new("lets_docker_push_and_pull", lets_docker_push_and_pull),
    Case::new(
        "gives_nothing_for_a_wrong_secret",
        gives_nothing_for_a_wrong_secret,
    ),
];

/// The version that `.ci/install-clients` noted; the program itself says `development` when built by Go.
fn version(scene: &Scene<'_>) -> Result<String> {
    scene.command(HELPER).arg("-v").run()?;
    let stamp = std::fs::read_to_string(scene.cache().join("stamps").join(HELPER))?;
    Ok(stamp
        .trim()
        .rsplit('@')
        .next()
        .unwrap_or_default()
        .to_owned())
}

/// A client that knows the ECR-shaped server's credentials and CA, and no endpoint at all.
fn at_ecr(scene: &Scene<'_>, command: Command) -> Result<Command> {
    let shaped = scene.world.ecr_shaped()?;
    let config = json!({"credHelpers": {ECR_HOST: "ecr-login"}});
    scene.file("docker/config.json", config.to_string())?;
    let mut command = command
        .unset("AWS_ENDPOINT_URL")
        .env("SSL_CERT_FILE", shaped.authority.bundle())
        .env("AWS_CA_BUNDLE", shaped.authority.bundle());
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    ] {
        command = command.env(name, shaped.server.export(name)?);
    }
    Ok(command)
}

fn run(scene: &Scene<'_>, program: &str) -> Result<Command> {
    at_ecr(scene, scene.command(program))
}

/// Creates a repository through the API's default endpoint and returns its URI.
fn created(scene: &Scene<'_>) -> Result<String> {
    let name = format!("{}/app", scene.prefix());
    let create = [
        "ecr",
        "create-repository",
        "--output",
        "json",
        "--repository-name",
        &name,
    ];
    let created = run(scene, "aws")?.args(create).json()?;
    let uri = created["repository"]["repositoryUri"]
        .as_str()
        .context("no repository URI")?;
    ensure!(uri == format!("{ECR_HOST}/{name}"), "repository URI {uri}");
    Ok(uri.to_owned())
}

fn lists_no_registry_before_its_first_use(scene: &Scene<'_>) -> Result<()> {
    let listed = run(scene, HELPER)?.arg("list").json()?;
    ensure!(
        listed
            .as_object()
            .is_some_and(|registries| !registries.contains_key(ECR_HOST)),
        "{listed}"
    );
    Ok(())
}

fn gets_credentials_for_the_registry_host(scene: &Scene<'_>) -> Result<()> {
    let got = run(scene, HELPER)?
        .arg("get")
        .stdin(ECR_HOST.as_bytes())?
        .json()?;
    ensure!(got["Username"] == "AWS", "user {}", got["Username"]);
    ensure!(
        got["Secret"]
            .as_str()
            .is_some_and(|secret| !secret.is_empty()),
        "no password"
    );
    Ok(())
}

fn lets_the_cli_reach_the_default_endpoint(scene: &Scene<'_>) -> Result<()> {
    created(scene)?;
    let query = [
        "ecr",
        "get-authorization-token",
        "--query",
        "authorizationData[0].proxyEndpoint",
        "--output",
        "text",
    ];
    let endpoint = run(scene, "aws")?.args(query).text()?;
    ensure!(
        endpoint == format!("https://{ECR_HOST}"),
        "{ECR_API_HOST} gives {endpoint}"
    );
    Ok(())
}

fn lets_crane_push_and_pull(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:v1", created(scene)?);
    let (layout, digest) = image::multi(scene.path("layout"), &noise(30, 500_000))?;
    run(scene, "crane")?
        .arg("push")
        .arg(layout.path)
        .arg(&target)
        .run()?;
    ensure!(
        run(scene, "crane")?.args(["digest", &target]).text()? == digest,
        "the digest changed"
    );
    run(scene, "crane")?
        .args(["validate", "--remote", &target])
        .run()
        .map(drop)
}

fn lets_skopeo_push_and_pull(scene: &Scene<'_>) -> Result<()> {
    let target = format!("docker://{}:v1", created(scene)?);
    image::single(scene.path("layout"), &noise(31, 500_000))?;
    run(scene, "skopeo")?
        .args(["copy", "oci:layout:v1", &target])
        .run()?;
    run(scene, "skopeo")?
        .args(["copy", &target, "oci:back:v1"])
        .run()
        .map(drop)
}

fn lets_docker_push_and_pull(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:v1", created(scene)?);
    docker::build(scene, &target, "through the helper")?;
    let docker = || at_ecr(scene, docker::docker(scene)?);
    docker()?.args(["push", &target]).run()?;
    docker()?.args(["rmi", "--force", &target]).run()?;
    docker()?.args(["pull", &target]).run().map(drop)
}

fn gives_nothing_for_a_wrong_secret(scene: &Scene<'_>) -> Result<()> {
    let get = run(scene, HELPER)?
        .env("AWS_SECRET_ACCESS_KEY", "wrong")
        .arg("get");
    get.stdin(ECR_HOST.as_bytes())?.refused(&[])
}

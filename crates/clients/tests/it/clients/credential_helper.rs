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
        "lets_crane_push_and_pull_as_an_assumed_role",
        lets_crane_push_and_pull_as_an_assumed_role,
    ),
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
pub(super) fn at_ecr(scene: &Scene<'_>, command: Command) -> Result<Command> {
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

pub(super) fn run(scene: &Scene<'_>, program: &str) -> Result<Command> {
    at_ecr(scene, scene.command(program))
}

/// Creates a repository through the API's default endpoint and returns its URI.
pub(super) fn created(scene: &Scene<'_>) -> Result<String> {
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

/// A client whose profile assumes a role, with no credentials in its environment.
fn by_role(scene: &Scene<'_>, program: &str) -> Result<Command> {
    Ok(run(scene, program)?
        .unset("AWS_ACCESS_KEY_ID")
        .unset("AWS_SECRET_ACCESS_KEY")
        .env("AWS_CONFIG_FILE", scene.path("aws-config"))
        .env("AWS_SDK_LOAD_CONFIG", "1")
        .env("AWS_PROFILE", "ci"))
}

fn lets_crane_push_and_pull_as_an_assumed_role(scene: &Scene<'_>) -> Result<()> {
    let target = format!("{}:v1", created(scene)?);
    let iam = |verb: &str| {
        Ok::<_, anyhow::Error>(run(scene, "aws")?.args(["iam", verb, "--output", "json"]))
    };
    let (user, role) = ("ecr-login-base", "ecr-login-ci");
    iam("create-user")?.args(["--user-name", user]).run()?;
    let key = iam("create-access-key")?
        .args(["--user-name", user])
        .json()?;
    let text = |name: &str| {
        key["AccessKey"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": format!("arn:aws:iam::000000000000:user/{user}")}}]});
    iam("create-role")?
        .args([
            "--role-name",
            role,
            "--assume-role-policy-document",
            &trust.to_string(),
        ])
        .run()?;
    let on_role = [
        "--role-name",
        role,
        "--policy-arn",
        "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser",
    ];
    iam("attach-role-policy")?.args(on_role).run()?;
    let (id, secret) = (text("AccessKeyId"), text("SecretAccessKey"));
    scene.file(
        "aws-config",
        format!(
            "[profile base]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n\
             [profile ci]\nregion = us-east-1\nsource_profile = base\nrole_arn = arn:aws:iam::000000000000:role/{role}\n"
        ),
    )?;
    let (layout, digest) = image::single(scene.path("layout"), &noise(32, 300_000))?;
    let crane = || by_role(scene, "crane");
    crane()?.arg("push").arg(layout.path).arg(&target).run()?;
    ensure!(
        crane()?.args(["digest", &target]).text()? == digest,
        "the digest changed"
    );
    let delete = crane()?.args(["delete", &target]);
    delete.refused(&[
        "assumed-role/ecr-login-ci",
        "is not authorized to perform: ecr:BatchDeleteImage",
    ])?;
    // The helper gets no password for a role that may not even ask for one.
    iam("detach-role-policy")?.args(on_role).run()?;
    crane()?
        .args(["digest", &target])
        .refused(&["UNAUTHORIZED"])
}

fn gives_nothing_for_a_wrong_secret(scene: &Scene<'_>) -> Result<()> {
    let get = run(scene, HELPER)?
        .env("AWS_SECRET_ACCESS_KEY", "wrong")
        .arg("get");
    get.stdin(ECR_HOST.as_bytes())?.refused(&[])
}

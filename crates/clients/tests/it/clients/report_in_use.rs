//! `longshore report-in-use` beside a real Docker Engine that runs containers.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::docker::docker;
use crate::harness::command::Command;
use crate::harness::{Case, Cases, Client, Scene};

pub(crate) fn client() -> Client {
    Client {
        name: "report-in-use",
        version,
        cases: Cases::Functions(CASES),
    }
}

const CASES: &[Case] = &[
    Case::new(
        "leases_what_runs_and_nothing_else",
        leases_what_runs_and_nothing_else,
    ),
    Case::new(
        "tells_what_could_not_be_leased",
        tells_what_could_not_be_leased,
    ),
    Case::new("says_what_it_cannot_reach", says_what_it_cannot_reach),
];

fn version(scene: &Scene<'_>) -> Result<String> {
    longshore(scene).arg("--version").text()
}

fn longshore(scene: &Scene<'_>) -> Command {
    scene.command(&scene.world.tools.server.to_string_lossy())
}

/// One report in JSON.
fn report(scene: &Scene<'_>) -> Result<Command> {
    Ok(longshore(scene)
        .args(["report-in-use", "--once", "--json", "--lease", "1h"])
        .env("DOCKER_HOST", scene.world.dockerd()?.host()))
}

/// Ends with success if a command ends with `code`.
fn ending(scene: &Scene<'_>, code: u8, flags: &str) -> Result<Command> {
    let program = scene.world.tools.server.display();
    let line = format!("{program} report-in-use --once {flags}; test $? -eq {code}");
    Ok(scene
        .command("sh")
        .args(["-c", &line])
        .env("DOCKER_HOST", scene.world.dockerd()?.host()))
}

/// Pushes an image that can run for as long as it is let, and returns its name with its digest.
fn pushed(scene: &Scene<'_>, tag: &str) -> Result<String> {
    // A program that needs nothing beside itself.
    std::fs::create_dir_all(scene.path("context"))?;
    let program = scene.cache().join("bin/crane");
    std::fs::copy(program, scene.path("context/crane"))?;
    scene.file(
        "context/Dockerfile",
        format!(
            "FROM scratch\nCOPY crane /crane\nLABEL of={} is={tag}\n\
             ENTRYPOINT [\"/crane\", \"registry\", \"serve\", \"--address\", \"127.0.0.1:0\"]\n",
            scene.prefix()
        ),
    )?;
    let reference = format!("{}/{}/app:{tag}", scene.host(), scene.prefix());
    docker(scene)?
        .args(["build", "--quiet", "--tag", &reference, "context"])
        .run()?;
    let said = docker(scene)?.args(["push", &reference]).run()?.stdout;
    let digest = said
        .split_ascii_whitespace()
        .find(|word| word.starts_with("sha256:"));
    let digest = digest.context("the push tells no digest")?;
    Ok(format!("{}/{}/app@{digest}", scene.host(), scene.prefix()))
}

/// What a report leases of this case's repository, by name and digest.
fn leased(scene: &Scene<'_>, report: &Value) -> Vec<String> {
    let of = format!("{}/{}/app", scene.host(), scene.prefix());
    let leases = report["leases"].as_array().into_iter().flatten();
    let here = leases.filter(|lease| lease["repository"] == of.as_str());
    here.map(|lease| format!("{of}@{}", lease["imageDigest"].as_str().unwrap_or_default()))
        .collect()
}

fn leases_what_runs_and_nothing_else(scene: &Scene<'_>) -> Result<()> {
    let repository = scene.repository("app")?;
    scene.logged_in()?;
    let (used, unused) = (pushed(scene, "used")?, pushed(scene, "unused")?);
    let container = docker(scene)?
        .args(["run", "--detach", "--network", "none", &used])
        .text()?;
    let told = report(scene)?.json()?;
    ensure!(leased(scene, &told) == [used.as_str()], "{told}");
    ensure!(told["failures"] == json!([]), "{told}");
    // The policy would remove both, were it not for the lease.
    let everything = json!({"rules": [{"rulePriority": 1, "action": {"type": "expire"}, "selection": {
        "tagStatus": "tagged", "tagPatternList": ["*used*"], "countType": "imageCountMoreThan", "countNumber": 1}}]});
    pushed(scene, "reused")?;
    let expiring = expiring(scene, &repository, &everything)?;
    let digest = |name: &str| name.rsplit('@').next().map(str::to_owned);
    ensure!(
        expiring == json!([digest(&unused)]),
        "{expiring}, of {used} and {unused}"
    );
    docker(scene)?.args(["rm", "--force", &container]).run()?;
    let told = report(scene)?.json()?;
    ensure!(leased(scene, &told).is_empty(), "{told}");
    Ok(())
}

/// The digests of what a policy would remove.
fn expiring(scene: &Scene<'_>, repository: &str, policy: &Value) -> Result<Value> {
    let aws = |verb: &str| {
        let aws = scene.command("aws").args(["ecr", verb]);
        aws.args(["--repository-name", repository, "--output", "json"])
    };
    scene.file("policy.json", policy.to_string())?;
    aws("start-lifecycle-policy-preview")
        .args(["--lifecycle-policy-text", "file://policy.json"])
        .run()?;
    scene
        .command("aws")
        .args(["ecr", "wait", "lifecycle-policy-preview-complete"])
        .args(["--repository-name", repository])
        .run()?;
    aws("get-lifecycle-policy-preview")
        .args(["--query", "previewResults[].imageDigest"])
        .json()
}

fn tells_what_could_not_be_leased(scene: &Scene<'_>) -> Result<()> {
    scene.repository("app")?;
    scene.logged_in()?;
    let gone = pushed(scene, "gone")?;
    let container = docker(scene)?
        .args(["run", "--detach", "--network", "none", &gone])
        .text()?;
    ending(scene, 0, "")?.run()?;
    let (_, digest) = gone.split_once('@').context("no digest")?;
    let repository = format!("{}/app", scene.prefix());
    let delete = json!({"repositoryName": repository, "imageIds": [{"imageDigest": digest}]});
    scene.api("BatchDeleteImage", &delete)?;
    let said = ending(scene, 3, "")?.run()?;
    let line = format!("not leased: {gone}: Requested image not found");
    ensure!(said.stderr.contains(&line), "{said:?}");
    let delete = json!({"repositoryName": repository, "force": true});
    scene.api("DeleteRepository", &delete)?;
    let said = ending(scene, 3, "--json")?.run()?;
    ensure!(
        said.stdout.contains("RepositoryNotFoundException"),
        "{said:?}"
    );
    docker(scene)?.args(["rm", "--force", &container]).run()?;
    Ok(())
}

fn says_what_it_cannot_reach(scene: &Scene<'_>) -> Result<()> {
    scene.repository("app")?;
    scene.logged_in()?;
    let running = pushed(scene, "running")?;
    let container = docker(scene)?
        .args(["run", "--detach", "--network", "none", &running])
        .text()?;
    let registry = format!("--registry {}", scene.host());
    for (variable, value, code, flags, said) in [
        (
            "LANG",
            "C",
            1,
            "--docker-host unix:///nowhere",
            "unix:///nowhere cannot be asked: No such file",
        ),
        (
            "LANG",
            "C",
            1,
            "--docker-host /nowhere",
            "neither unix:///PATH nor tcp://HOST:PORT",
        ),
        (
            "AWS_ENDPOINT_URL",
            "http://127.0.0.1:1",
            1,
            registry.as_str(),
            "the registry at http://127.0.0.1:1/ cannot be reached",
        ),
        (
            "AWS_ENDPOINT_URL",
            "",
            1,
            "",
            "AWS_ENDPOINT_URL_ECR or AWS_ENDPOINT_URL is not set",
        ),
        (
            "AWS_SECRET_ACCESS_KEY",
            "wrong",
            3,
            "",
            "SignatureException",
        ),
        ("LANG", "C", 2, "--lease 5", "a duration is a number with"),
        ("LANG", "C", 3, "--lease 8000h", "durationSeconds"),
    ] {
        let output = ending(scene, code, flags)?.env(variable, value).run()?;
        ensure!(output.stderr.contains(said), "{flags}: {output:?}");
    }
    docker(scene)?.args(["rm", "--force", &container]).run()?;
    Ok(())
}

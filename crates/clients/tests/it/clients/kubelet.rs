//! The kubelet's plugin for ECR, as the kubelet runs it: a request on standard input, an answer on standard output.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::credential_helper::{created, run};
use crate::harness::command::Command;
use crate::harness::image::{self, noise};
use crate::harness::namespace::ECR_HOST;
use crate::harness::{Case, Cases, Client, Scene};

const PLUGIN: &str = "ecr-credential-provider";
const API: &str = "credentialprovider.kubelet.k8s.io/v1";

pub(crate) fn client() -> Client {
    Client {
        name: PLUGIN,
        version,
        cases: Cases::Functions(CASES),
    }
}

const CASES: &[Case] = &[
    Case::new("gets_the_password_of_a_node", gets_the_password_of_a_node),
    Case::new(
        "gets_the_password_of_a_service_account",
        gets_the_password_of_a_service_account,
    ),
    Case::new(
        "gives_nothing_to_whom_the_role_does_not_trust",
        gives_nothing_to_whom_the_role_does_not_trust,
    ),
];

/// The version that `.ci/install-clients` noted; the program itself has no word for it.
fn version(scene: &Scene<'_>) -> Result<String> {
    scene.command(PLUGIN).arg("--help").run()?;
    let stamp = std::fs::read_to_string(scene.cache().join("stamps").join(PLUGIN))?;
    let version = stamp.trim().rsplit('@').next();
    Ok(version.unwrap_or_default().to_owned())
}

/// The plugin asked for the credentials of an image, with more members in the request.
fn asked(command: Command, image: &str, more: &Value) -> Result<Command> {
    let mut request =
        json!({"apiVersion": API, "kind": "CredentialProviderRequest", "image": image});
    for (member, value) in more.as_object().into_iter().flatten() {
        request[member] = value.clone();
    }
    command.stdin(request.to_string().as_bytes())
}

/// The password in the plugin's answer, which the kubelet may keep for half of its life.
fn password(answer: &Value) -> Result<String> {
    ensure!(
        answer["kind"] == "CredentialProviderResponse" && answer["apiVersion"] == API,
        "{answer}"
    );
    ensure!(answer["cacheKeyType"] == "Registry", "{answer}");
    let kept = answer["cacheDuration"]
        .as_str()
        .context("it may not be kept")?;
    ensure!(kept.contains('m'), "kept for {kept}");
    let of_host = &answer["auth"][ECR_HOST];
    ensure!(of_host["username"] == "AWS", "no user of {ECR_HOST}");
    Ok(of_host["password"]
        .as_str()
        .context("no password")?
        .to_owned())
}

/// A command of IAM or STS at the ECR-shaped server.
fn aws(scene: &Scene<'_>, service: &str, verb: &str) -> Result<Command> {
    Ok(run(scene, "aws")?.args([service, verb, "--output", "json"]))
}

/// Makes a role with Amazon's policy for nodes, and returns its ARN.
fn role(scene: &Scene<'_>, name: &str, trust: &Value) -> Result<String> {
    let trust = json!({"Version": "2012-10-17", "Statement": [trust]}).to_string();
    let made = aws(scene, "iam", "create-role")?
        .args(["--role-name", name, "--assume-role-policy-document", &trust])
        .json()?;
    aws(scene, "iam", "attach-role-policy")?
        .args([
            "--role-name",
            name,
            "--policy-arn",
            "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly",
        ])
        .run()?;
    Ok(made["Role"]["Arn"].as_str().context("no ARN")?.to_owned())
}

/// Pushes an image by the administrator; returns its reference and digest.
fn pushed(scene: &Scene<'_>) -> Result<(String, String)> {
    let target = format!("{}:v1", created(scene)?);
    let (layout, digest) = image::single(scene.path("layout"), &noise(40, 200_000))?;
    run(scene, "crane")?
        .arg("push")
        .arg(layout.path)
        .arg(&target)
        .run()?;
    Ok((target, digest))
}

/// Pulls as the container runtime does with what the kubelet hands it; and shows that it can do no more.
fn pulls_only(
    scene: &Scene<'_>,
    (target, digest): &(String, String),
    password: &str,
) -> Result<()> {
    let crane = || -> Result<Command> {
        let command = run(scene, "crane")?;
        scene.with_password(ECR_HOST, password)?;
        Ok(command)
    };
    ensure!(
        crane()?.args(["digest", target]).text()? == *digest,
        "the digest changed"
    );
    crane()?.args(["validate", "--remote", target]).run()?;
    crane()?
        .args(["tag", target, "v2"])
        .refused(&["is not authorized to perform: ecr:PutImage"])
}

fn gets_the_password_of_a_node(scene: &Scene<'_>) -> Result<()> {
    let image = pushed(scene)?;
    let user = aws(scene, "iam", "create-user")?
        .args(["--user-name", "kubelet-ec2"])
        .json()?;
    let trust = json!({"Effect": "Allow", "Principal": {"AWS": user["User"]["Arn"]}, "Action": "sts:AssumeRole"});
    let role = role(scene, "kubelet-node", &trust)?;
    let key = aws(scene, "iam", "create-access-key")?
        .args(["--user-name", "kubelet-ec2"])
        .json()?;
    let with = |command: Command, credentials: &Value| {
        let text = |name: &str| credentials[name].as_str().unwrap_or_default().to_owned();
        command
            .env("AWS_ACCESS_KEY_ID", text("AccessKeyId"))
            .env("AWS_SECRET_ACCESS_KEY", text("SecretAccessKey"))
    };
    let assume = [
        "--role-arn",
        &role,
        "--role-session-name",
        "i-0123456789abcdef0",
    ];
    let session = with(aws(scene, "sts", "assume-role")?, &key["AccessKey"])
        .args(assume)
        .json()?;
    let credentials = &session["Credentials"];
    let token = credentials["SessionToken"]
        .as_str()
        .context("no session token")?;
    let plugin = with(run(scene, PLUGIN)?, credentials).env("AWS_SESSION_TOKEN", token);
    let answer = asked(plugin, &image.0, &json!({}))?.json()?;
    pulls_only(scene, &image, &password(&answer)?)
}

const SUBJECT: &str = "system:serviceaccount:team:app";

/// A role for one service account of the cluster whose tokens the suite's provider signs.
fn role_of_account(scene: &Scene<'_>, name: &str) -> Result<String> {
    let issuer = &scene.world.ecr_shaped()?.issuer;
    let url = format!("https://{}", issuer.name());
    let made = aws(scene, "iam", "create-open-id-connect-provider")?.args([
        "--url",
        &url,
        "--client-id-list",
        "sts.amazonaws.com",
    ]);
    // The cases of this client share it.
    made.whatever()?;
    let provider = format!("arn:aws:iam::000000000000:oidc-provider/{}", issuer.name());
    let condition = json!({"StringEquals": {
        format!("{}:sub", issuer.name()): SUBJECT, format!("{}:aud", issuer.name()): "sts.amazonaws.com"}});
    let trust = json!({"Effect": "Allow", "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition});
    role(scene, name, &trust)
}

/// The plugin in an environment without credentials, asked for the image by a service account.
fn asked_by_account(scene: &Scene<'_>, image: &str, role: &str, subject: &str) -> Result<Command> {
    let token = scene.world.ecr_shaped()?.issuer.token(subject)?;
    let plugin = run(scene, PLUGIN)?
        .unset("AWS_ACCESS_KEY_ID")
        .unset("AWS_SECRET_ACCESS_KEY")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let more = json!({"serviceAccountToken": token, "serviceAccountAnnotations": {"eks.amazonaws.com/ecr-role-arn": role}});
    asked(plugin, image, &more)
}

fn gets_the_password_of_a_service_account(scene: &Scene<'_>) -> Result<()> {
    let image = pushed(scene)?;
    let role = role_of_account(scene, "kubelet-app")?;
    let answer = asked_by_account(scene, &image.0, &role, SUBJECT)?.json()?;
    pulls_only(scene, &image, &password(&answer)?)
}

fn gives_nothing_to_whom_the_role_does_not_trust(scene: &Scene<'_>) -> Result<()> {
    let role = role_of_account(scene, "kubelet-other")?;
    let image = format!("{ECR_HOST}/any/app:v1");
    asked_by_account(scene, &image, &role, "system:serviceaccount:team:other")?
        .refused(&["Not authorized to perform sts:AssumeRoleWithWebIdentity"])?;
    let wrong = run(scene, PLUGIN)?.env("AWS_SECRET_ACCESS_KEY", "wrong");
    asked(wrong, &image, &json!({}))?.refused(&["GetAuthorizationToken"])
}

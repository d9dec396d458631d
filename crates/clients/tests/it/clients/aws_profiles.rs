//! The AWS command line interface by its configuration: profiles written by `aws configure`, roles by way of roles, and
//! programs that hand out credentials.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::harness::command::Command;
use crate::harness::{Case, Cases, Client, Scene};

pub(crate) fn client() -> Client {
    Client {
        name: "aws-profiles",
        version: super::aws_cli::version,
        cases: Cases::Functions(CASES),
    }
}

const CASES: &[Case] = &[
    Case::new(
        "configures_a_profile_of_a_role",
        configures_a_profile_of_a_role,
    ),
    Case::new("gets_to_a_role_by_another", gets_to_a_role_by_another),
    Case::new(
        "asks_a_process_for_credentials",
        asks_a_process_for_credentials,
    ),
];

/// A name that no other case uses.
fn name(scene: &Scene<'_>, suffix: &str) -> String {
    format!("{}-{suffix}", scene.prefix().replace('/', "-"))
}

fn iam(scene: &Scene<'_>, verb: &str) -> Command {
    scene.command("aws").args(["iam", verb, "--output", "json"])
}

/// The client without the credentials of the environment.
fn aws(scene: &Scene<'_>) -> Command {
    scene
        .command("aws")
        .unset("AWS_ACCESS_KEY_ID")
        .unset("AWS_SECRET_ACCESS_KEY")
        .args(["--output", "json"])
}

/// Sets one value of a profile as a person does.
fn configure(scene: &Scene<'_>, profile: &str, setting: &str, value: &str) -> Result<()> {
    let set = ["configure", "set", setting, value, "--profile", profile];
    scene.command("aws").args(set).run().map(drop)
}

/// Makes a user and a profile of its key; returns its ARN.
fn user(scene: &Scene<'_>, name: &str) -> Result<String> {
    let made = iam(scene, "create-user")
        .args(["--user-name", name])
        .json()?;
    let key = iam(scene, "create-access-key")
        .args(["--user-name", name])
        .json()?;
    let text = |member: &str| {
        key["AccessKey"][member]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    configure(scene, "base", "aws_access_key_id", &text("AccessKeyId"))?;
    configure(
        scene,
        "base",
        "aws_secret_access_key",
        &text("SecretAccessKey"),
    )?;
    Ok(made["User"]["Arn"].as_str().context("no ARN")?.to_owned())
}

/// Makes a role that `principal` may assume, with one managed policy; returns its ARN.
fn role(
    scene: &Scene<'_>,
    name: &str,
    principal: &str,
    condition: &Value,
    policy: &str,
) -> Result<String> {
    let mut statement =
        json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"});
    if !condition.is_null() {
        statement["Condition"] = condition.clone();
    }
    let trust = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let made = iam(scene, "create-role")
        .args(["--role-name", name, "--assume-role-policy-document", &trust])
        .json()?;
    let arn = format!("arn:aws:iam::aws:policy/{policy}");
    iam(scene, "attach-role-policy")
        .args(["--role-name", name, "--policy-arn", &arn])
        .run()?;
    Ok(made["Role"]["Arn"].as_str().context("no ARN")?.to_owned())
}

fn who(scene: &Scene<'_>, profile: &str) -> Result<String> {
    let who = aws(scene)
        .args(["sts", "get-caller-identity", "--profile", profile])
        .json()?;
    Ok(who["Arn"].as_str().context("no ARN")?.to_owned())
}

fn configures_a_profile_of_a_role(scene: &Scene<'_>) -> Result<()> {
    let user = user(scene, &name(scene, "user"))?;
    let condition = json!({"StringEquals": {"sts:ExternalId": "shared-secret-7"}});
    let role_name = name(scene, "ci");
    let role = role(
        scene,
        &role_name,
        &user,
        &condition,
        "AmazonEC2ContainerRegistryReadOnly",
    )?;
    configure(scene, "ci", "role_arn", &role)?;
    configure(scene, "ci", "source_profile", "base")?;
    configure(scene, "ci", "role_session_name", "run-1")?;
    aws(scene)
        .args(["sts", "get-caller-identity", "--profile", "ci"])
        .refused(&[
            "AccessDenied",
            "is not authorized to perform: sts:AssumeRole",
        ])?;
    configure(scene, "ci", "external_id", "shared-secret-7")?;
    let session = format!("arn:aws:sts::000000000000:assumed-role/{role_name}/run-1");
    ensure!(who(scene, "ci")? == session, "somebody else");
    let ecr = |verb: &str| aws(scene).args(["ecr", verb, "--profile", "ci"]);
    ecr("describe-repositories").run()?;
    let password = ecr("get-login-password").text()?;
    let login = format!("{}/v2/", scene.world.server.url);
    scene
        .curl("AWS", &password)?
        .args(["-sS", "--fail", &login])
        .run()?;
    ecr("create-repository")
        .args(["--repository-name", "any"])
        .refused(&[
            &session,
            "because no identity-based policy allows the ecr:CreateRepository action",
        ])
}

fn gets_to_a_role_by_another(scene: &Scene<'_>) -> Result<()> {
    let user = user(scene, &name(scene, "user"))?;
    let first_name = name(scene, "first");
    let first = role(
        scene,
        &first_name,
        &user,
        &Value::Null,
        "AmazonEC2ContainerRegistryPullOnly",
    )?;
    let second_name = name(scene, "second");
    let second = role(
        scene,
        &second_name,
        &first,
        &Value::Null,
        "AmazonEC2ContainerRegistryReadOnly",
    )?;
    for (profile, role, source) in [("one", &first, "base"), ("two", &second, "one")] {
        configure(scene, profile, "role_arn", role)?;
        configure(scene, profile, "source_profile", source)?;
        configure(scene, profile, "role_session_name", "run-2")?;
    }
    let session = format!("arn:aws:sts::000000000000:assumed-role/{second_name}/run-2");
    ensure!(who(scene, "two")? == session, "somebody else");
    aws(scene)
        .args(["ecr", "describe-repositories", "--profile", "two"])
        .run()?;
    aws(scene)
        .args(["ecr", "describe-repositories", "--profile", "one"])
        .refused(&[
            "AccessDeniedException",
            &format!("assumed-role/{first_name}/run-2"),
        ])?;
    // The user itself is trusted by the first alone.
    aws(scene)
        .args([
            "sts",
            "assume-role",
            "--profile",
            "base",
            "--role-arn",
            &second,
            "--role-session-name",
            "x2",
        ])
        .refused(&["AccessDenied"])
}

fn asks_a_process_for_credentials(scene: &Scene<'_>) -> Result<()> {
    let user = user(scene, &name(scene, "user"))?;
    let role_name = name(scene, "ci");
    let role = role(
        scene,
        &role_name,
        &user,
        &Value::Null,
        "AmazonEC2ContainerRegistryReadOnly",
    )?;
    let assumed = aws(scene)
        .args([
            "sts",
            "assume-role",
            "--profile",
            "base",
            "--role-arn",
            &role,
            "--role-session-name",
            "run-3",
        ])
        .json()?;
    let mut handed = assumed["Credentials"].clone();
    handed["Version"] = json!(1);
    let file = scene.file("handed.json", handed.to_string())?;
    configure(
        scene,
        "process",
        "credential_process",
        &format!("cat {}", file.display()),
    )?;
    let session = format!("arn:aws:sts::000000000000:assumed-role/{role_name}/run-3");
    ensure!(who(scene, "process")? == session, "somebody else");
    aws(scene)
        .args(["ecr", "describe-repositories", "--profile", "process"])
        .run()?;
    // Without its token the key is nobody's.
    handed["SessionToken"] = Value::Null;
    scene.file("handed.json", handed.to_string())?;
    aws(scene)
        .args(["ecr", "describe-repositories", "--profile", "process"])
        .refused(&["UnrecognizedClientException"])
}

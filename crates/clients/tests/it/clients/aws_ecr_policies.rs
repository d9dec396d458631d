//! The AWS command line interface with policies of repositories and registries, and settings of accounts.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::harness::command::Command;
use crate::harness::{Case, Cases, Client, Scene};

pub(crate) fn client() -> Client {
    Client {
        name: "aws-ecr-policies",
        version: super::aws_cli::version,
        cases: Cases::Functions(CASES),
    }
}

const CASES: &[Case] = &[
    Case::new(
        "sets_gets_and_deletes_a_repository_policy",
        sets_gets_and_deletes_a_repository_policy,
    ),
    Case::new(
        "is_kept_from_locking_itself_out",
        is_kept_from_locking_itself_out,
    ),
    Case::new(
        "puts_gets_and_deletes_a_registry_policy",
        puts_gets_and_deletes_a_registry_policy,
    ),
    Case::new(
        "reads_and_changes_account_settings",
        reads_and_changes_account_settings,
    ),
];

fn ecr(scene: &Scene<'_>, verb: &str) -> Command {
    scene.command("aws").args(["ecr", verb, "--output", "json"])
}

fn on(scene: &Scene<'_>, verb: &str, repository: &str) -> Command {
    ecr(scene, verb).args(["--repository-name", repository])
}

/// Writes a policy of one statement into a file, and returns its text.
fn policy(scene: &Scene<'_>, statement: &Value) -> Result<String> {
    let text = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    scene.file("policy.json", &text)?;
    Ok(text)
}

/// The policy in an answer.
fn told(answer: &Value) -> Result<Value> {
    let text = answer["policyText"].as_str().context("no policy")?;
    Ok(serde_json::from_str(text)?)
}

fn sets_gets_and_deletes_a_repository_policy(scene: &Scene<'_>) -> Result<()> {
    let name = scene.repository("app")?;
    on(scene, "get-repository-policy", &name).refused(&[
        "RepositoryPolicyNotFoundException",
        &format!("Repository policy does not exist for the repository with name '{name}' in the registry with id '000000000000'"),
    ])?;
    let text = policy(
        scene,
        &json!({"Sid": "pull", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]}),
    )?;
    let set =
        on(scene, "set-repository-policy", &name).args(["--policy-text", "file://policy.json"]);
    let set = set.json()?;
    ensure!(
        set["repositoryName"] == name.as_str() && set["registryId"] == "000000000000",
        "{set}"
    );
    let wanted: Value = serde_json::from_str(&text)?;
    let got = on(scene, "get-repository-policy", &name).json()?;
    ensure!(told(&got)? == wanted, "{got}");
    let deleted = on(scene, "delete-repository-policy", &name).json()?;
    ensure!(told(&deleted)? == wanted, "{deleted}");
    on(scene, "get-repository-policy", &name).refused(&["RepositoryPolicyNotFoundException"])?;
    let bad = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}"#;
    on(scene, "set-repository-policy", &name).args(["--policy-text", bad]).refused(&[
        "InvalidParameterException",
        "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'",
    ])
}

fn is_kept_from_locking_itself_out(scene: &Scene<'_>) -> Result<()> {
    let name = scene.repository("app")?;
    let user = scene.prefix().replace('/', "-");
    let iam = |verb: &str| {
        scene
            .command("aws")
            .args(["iam", verb, "--output", "json", "--user-name", &user])
    };
    iam("create-user").run()?;
    let full = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryFullAccess";
    iam("attach-user-policy")
        .args(["--policy-arn", full])
        .run()?;
    let key = iam("create-access-key").json()?;
    let text = |member: &str| {
        key["AccessKey"][member]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let by_user = |verb: &str| {
        on(scene, verb, &name)
            .env("AWS_ACCESS_KEY_ID", text("AccessKeyId"))
            .env("AWS_SECRET_ACCESS_KEY", text("SecretAccessKey"))
    };
    policy(
        scene,
        &json!({"Effect": "Deny", "Principal": "*", "Action": "ecr:SetRepositoryPolicy"}),
    )?;
    let set = || by_user("set-repository-policy").args(["--policy-text", "file://policy.json"]);
    set().refused(&["InvalidParameterException"])?;
    set().arg("--force").run()?;
    set().arg("--force").refused(&[
        "AccessDeniedException",
        "with an explicit deny in a resource-based policy",
    ])?;
    // The account's root mends it.
    on(scene, "delete-repository-policy", &name).run()?;
    by_user("get-repository-policy").refused(&["RepositoryPolicyNotFoundException"])
}

fn puts_gets_and_deletes_a_registry_policy(scene: &Scene<'_>) -> Result<()> {
    ecr(scene, "get-registry-policy").refused(&[
        "RegistryPolicyNotFoundException",
        "Registry policy does not exist in the registry with id '000000000000'",
    ])?;
    let text = policy(
        scene,
        &json!({"Sid": "replicate", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
            "Action": ["ecr:CreateRepository", "ecr:ReplicateImage"],
            "Resource": "arn:aws:ecr:us-east-1:000000000000:repository/*"}),
    )?;
    let put = ecr(scene, "put-registry-policy").args(["--policy-text", "file://policy.json"]);
    let put = put.json()?;
    ensure!(put["registryId"] == "000000000000", "{put}");
    let wanted: Value = serde_json::from_str(&text)?;
    let got = ecr(scene, "get-registry-policy").json()?;
    ensure!(told(&got)? == wanted, "{got}");
    let deleted = ecr(scene, "delete-registry-policy").json()?;
    ensure!(told(&deleted)? == wanted, "{deleted}");
    ecr(scene, "put-registry-policy").args(["--policy-text", "{}"]).refused(&[
        "InvalidParameterException",
        "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid registry policy provided'",
    ])
}

fn reads_and_changes_account_settings(scene: &Scene<'_>) -> Result<()> {
    let setting = |verb: &str| ecr(scene, verb).args(["--name", "BASIC_SCAN_TYPE_VERSION"]);
    let put = setting("put-account-setting")
        .args(["--value", "AWS_NATIVE"])
        .json()?;
    ensure!(
        put == json!({"name": "BASIC_SCAN_TYPE_VERSION", "value": "AWS_NATIVE"}),
        "{put}"
    );
    let got = setting("get-account-setting").json()?;
    ensure!(got == put, "{got}");
    ecr(scene, "get-account-setting")
        .args(["--name", "PAINT"])
        .refused(&["InvalidParameterException"])
}

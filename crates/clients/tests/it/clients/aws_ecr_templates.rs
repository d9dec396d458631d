//! Repository creation templates by the AWS command line interface, and pushes that make repositories by them.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::harness::command::Command;
use crate::harness::{Case, Cases, Client, Scene};

use super::docker::{build, docker};

pub(crate) fn client() -> Client {
    Client {
        name: "aws-ecr-templates",
        version: super::aws_cli::version,
        cases: Cases::Functions(CASES),
    }
}

const CASES: &[Case] = &[
    Case::new(
        "creates_updates_describes_and_deletes_a_template",
        creates_updates_describes_and_deletes_a_template,
    ),
    Case::new(
        "pushes_to_a_name_that_does_not_exist",
        pushes_to_a_name_that_does_not_exist,
    ),
    Case::new("pushes_with_tags_by_a_role", pushes_with_tags_by_a_role),
    Case::new(
        "crane_makes_a_repository_by_copying",
        crane_makes_a_repository_by_copying,
    ),
];

const LIFECYCLE: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":100},"action":{"type":"expire"}}]}"#;

fn ecr(scene: &Scene<'_>, verb: &str) -> Command {
    scene.command("aws").args(["ecr", verb, "--output", "json"])
}

fn of(scene: &Scene<'_>, verb: &str) -> Command {
    ecr(scene, verb).args(["--prefix", scene.prefix()])
}

fn creates_updates_describes_and_deletes_a_template(scene: &Scene<'_>) -> Result<()> {
    let made = of(scene, "create-repository-creation-template")
        .args(["--applied-for", "CREATE_ON_PUSH", "PULL_THROUGH_CACHE"])
        .args([
            "--description",
            "ours",
            "--image-tag-mutability",
            "IMMUTABLE",
        ])
        .args(["--lifecycle-policy", LIFECYCLE])
        .args(["--resource-tags", "Key=team,Value=red"])
        .args(["--custom-role-arn", "arn:aws:iam::000000000000:role/absent"])
        .json()?;
    let template = &made["repositoryCreationTemplate"];
    ensure!(template["prefix"] == scene.prefix(), "{made}");
    ensure!(
        template["appliedFor"] == json!(["CREATE_ON_PUSH", "PULL_THROUGH_CACHE"]),
        "{made}"
    );
    ensure!(
        template["encryptionConfiguration"]["encryptionType"] == "AES256",
        "{made}"
    );
    of(scene, "create-repository-creation-template")
        .args(["--applied-for", "REPLICATION"])
        .refused(&["TemplateAlreadyExistsException"])?;
    let updated = of(scene, "update-repository-creation-template")
        .args(["--description", "yours"])
        .json()?;
    ensure!(
        updated["repositoryCreationTemplate"]["description"] == "yours",
        "{updated}"
    );
    let described = ecr(scene, "describe-repository-creation-templates")
        .args(["--prefixes", scene.prefix()])
        .json()?;
    let described = &described["repositoryCreationTemplates"];
    ensure!(
        described[0] == updated["repositoryCreationTemplate"],
        "{described}"
    );
    ensure!(described[0]["lifecyclePolicy"] == LIFECYCLE, "{described}");
    let kms = "encryptionType=KMS";
    of(scene, "update-repository-creation-template")
        .args(["--encryption-configuration", kms])
        .refused(&["InvalidParameterException", "No key service is configured"])?;
    of(scene, "delete-repository-creation-template").run()?;
    of(scene, "delete-repository-creation-template").refused(&["TemplateNotFoundException"])?;
    of(scene, "update-repository-creation-template").refused(&["TemplateNotFoundException"])
}

fn repository(scene: &Scene<'_>, name: &str) -> Result<Value> {
    let described = ecr(scene, "describe-repositories")
        .args(["--repository-names", name])
        .json()?;
    Ok(described["repositories"][0].clone())
}

fn pushes_to_a_name_that_does_not_exist(scene: &Scene<'_>) -> Result<()> {
    let name = format!("{}/team/app", scene.logged_in()?.prefix());
    let target = format!("{}/{name}:v1", scene.host());
    build(scene, &target, "made by pushing")?;
    docker(scene)?
        .args(["push", &target])
        .refused(&["name unknown"])?;
    of(scene, "create-repository-creation-template")
        .args(["--applied-for", "CREATE_ON_PUSH"])
        .args(["--image-tag-mutability", "IMMUTABLE"])
        .args(["--lifecycle-policy", LIFECYCLE])
        .run()?;
    docker(scene)?.args(["push", &target]).run()?;
    let made = repository(scene, &name)?;
    ensure!(made["imageTagMutability"] == "IMMUTABLE", "{made}");
    let policy = ecr(scene, "get-lifecycle-policy")
        .args(["--repository-name", &name])
        .json()?;
    ensure!(policy["lifecyclePolicyText"] == LIFECYCLE, "{policy}");
    docker(scene)?.args(["rmi", "--force", &target]).run()?;
    docker(scene)?.args(["pull", &target]).run()?;
    let absent = format!("{}/{}/team/other:v1", scene.host(), scene.prefix());
    docker(scene)?
        .args(["pull", &absent])
        .refused(&["name unknown"])
}

fn pushes_with_tags_by_a_role(scene: &Scene<'_>) -> Result<()> {
    let role = scene.prefix().replace('/', "-");
    let role: String = role.chars().take(60).collect();
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"Service": "ecr.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let made = scene
        .command("aws")
        .args([
            "iam",
            "create-role",
            "--output",
            "json",
            "--role-name",
            &role,
        ])
        .args(["--assume-role-policy-document", &trust.to_string()])
        .json()?;
    let arn = made["Role"]["Arn"].as_str().context("no role")?;
    of(scene, "create-repository-creation-template")
        .args(["--applied-for", "CREATE_ON_PUSH", "--custom-role-arn", arn])
        .args(["--resource-tags", "Key=team,Value=red"])
        .run()?;
    let name = format!("{}/app", scene.logged_in()?.prefix());
    let target = format!("{}/{name}:v1", scene.host());
    build(scene, &target, "tagged")?;
    docker(scene)?
        .args(["push", &target])
        .refused(&["is not authorized to perform: ecr:CreateRepository"])?;
    let may = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Action": ["ecr:CreateRepository", "ecr:ReplicateImage", "ecr:TagResource"], "Resource": "*"}]});
    scene
        .command("aws")
        .args(["iam", "put-role-policy", "--role-name", &role])
        .args([
            "--policy-name",
            "make",
            "--policy-document",
            &may.to_string(),
        ])
        .run()?;
    docker(scene)?.args(["push", &target]).run()?;
    let made = repository(scene, &name)?;
    let arn = made["repositoryArn"].as_str().context("no ARN")?;
    let tags = ecr(scene, "list-tags-for-resource")
        .args(["--resource-arn", arn])
        .json()?;
    ensure!(
        tags["tags"] == json!([{"Key": "team", "Value": "red"}]),
        "{tags}"
    );
    Ok(())
}

fn crane_makes_a_repository_by_copying(scene: &Scene<'_>) -> Result<()> {
    let from = format!("{}:v1", scene.logged_in()?.target("source/app")?);
    build(scene, &from, "copied")?;
    docker(scene)?.args(["push", &from]).run()?;
    of(scene, "create-repository-creation-template")
        .args(["--applied-for", "CREATE_ON_PUSH"])
        .run()?;
    let name = format!("{}/copy", scene.prefix());
    let to = format!("{}/{name}:v1", scene.host());
    scene
        .command("crane")
        .args(["copy", "--insecure", &from, &to])
        .run()?;
    repository(scene, &name).map(drop)
}

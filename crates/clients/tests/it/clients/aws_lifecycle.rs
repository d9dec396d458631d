//! The AWS command line interface and boto3 with lifecycle policies.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::harness::command::Command;
use crate::harness::{Case, Cases, Client, Scene, image};

pub(crate) fn client() -> Client {
    Client {
        name: "aws-lifecycle",
        version: super::aws_cli::version,
        cases: Cases::Functions(CASES),
    }
}

/// boto3, through a program that tells of its own cases.
pub(crate) fn boto3() -> Client {
    Client {
        name: "boto3-lifecycle",
        version: super::boto3::version,
        cases: Cases::Program(|scene| {
            let program = scene.programs().join("boto3/lifecycle.py");
            scene.program(super::boto3::python(scene).arg(program))
        }),
    }
}

const CASES: &[Case] = &[
    Case::new(
        "puts_gets_and_deletes_a_policy",
        puts_gets_and_deletes_a_policy,
    ),
    Case::new("previews_a_policy", previews_a_policy),
    Case::new(
        "is_told_what_is_wrong_with_a_policy",
        is_told_what_is_wrong_with_a_policy,
    ),
    Case::new("is_told_what_is_not_there", is_told_what_is_not_there),
];

fn ecr(scene: &Scene<'_>, verb: &str, repository: &str) -> Command {
    let aws = scene.command("aws").args(["ecr", verb, "--output", "json"]);
    aws.args(["--repository-name", repository])
}

/// Writes a policy of one rule into a file, and returns its text.
fn policy(scene: &Scene<'_>, selection: &Value) -> Result<String> {
    let rule = json!({"rulePriority": 1, "selection": selection, "action": {"type": "expire"}});
    let text = json!({ "rules": [rule] }).to_string();
    scene.file("policy.json", &text)?;
    Ok(text)
}

const POLICY: [&str; 2] = ["--lifecycle-policy-text", "file://policy.json"];

fn newest(number: u32) -> Value {
    json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": number})
}

fn pushed(scene: &Scene<'_>, repository: &str, tag: &str) -> Result<String> {
    let layout = scene.logged_in()?.path(&format!("layout-{tag}"));
    let (layout, digest) = image::single(layout, tag.as_bytes())?;
    let target = format!("{}/{repository}:{tag}", scene.host());
    let push = scene.command("crane").arg("push").arg(&layout.path);
    push.arg(target).run()?;
    Ok(digest)
}

fn puts_gets_and_deletes_a_policy(scene: &Scene<'_>) -> Result<()> {
    let name = scene.repository("app")?;
    let text = policy(scene, &newest(3))?;
    let put = ecr(scene, "put-lifecycle-policy", &name)
        .args(POLICY)
        .json()?;
    ensure!(
        put == json!({"registryId": "000000000000", "repositoryName": name, "lifecyclePolicyText": text}),
        "{put}"
    );
    for verb in ["get-lifecycle-policy", "delete-lifecycle-policy"] {
        let got = ecr(scene, verb, &name).json()?;
        ensure!(got["lifecyclePolicyText"] == text.as_str(), "{got}");
        ensure!(got["lastEvaluatedAt"] == 0.0, "{got}");
    }
    ecr(scene, "get-lifecycle-policy", &name).refused(&["LifecyclePolicyNotFoundException"])
}

fn previews_a_policy(scene: &Scene<'_>) -> Result<()> {
    let name = scene.repository("app")?;
    let old = pushed(scene, &name, "v1")?;
    pushed(scene, &name, "v2")?;
    policy(scene, &newest(1))?;
    let started = ecr(scene, "start-lifecycle-policy-preview", &name)
        .args(POLICY)
        .json()?;
    ensure!(started["status"] == "IN_PROGRESS", "{started}");
    let wait = scene
        .command("aws")
        .args(["ecr", "wait", "lifecycle-policy-preview-complete"]);
    wait.args(["--repository-name", &name]).run()?;
    let got = ecr(scene, "get-lifecycle-policy-preview", &name).json()?;
    ensure!(got["status"] == "COMPLETE", "{got}");
    ensure!(got["summary"]["expiringImageTotalCount"] == 1, "{got}");
    let result = &got["previewResults"][0];
    ensure!(
        result["imageDigest"] == old.as_str()
            && result["imageTags"] == json!(["v1"])
            && result["action"] == json!({"type": "EXPIRE"})
            && result["appliedRulePriority"] == 1
            && result["storageClass"] == "STANDARD",
        "{got}"
    );
    for (flags, count) in [
        (["--filter", "tagStatus=UNTAGGED"], 0),
        (["--filter", "tagStatus=TAGGED"], 1),
        (["--image-ids", "imageTag=v1"], 1),
        (["--image-ids", "imageTag=v2"], 0),
    ] {
        let got = ecr(scene, "get-lifecycle-policy-preview", &name).args(flags);
        let got = got.json()?;
        let results = got["previewResults"].as_array().map(Vec::len);
        ensure!(results == Some(count), "{flags:?}: {got}");
    }
    Ok(())
}

fn is_told_what_is_wrong_with_a_policy(scene: &Scene<'_>) -> Result<()> {
    let name = scene.repository("app")?;
    let mut selection = newest(1);
    selection["countUnit"] = json!("days");
    for (selection, said) in [
        (selection, "instance failed to match exactly one schema"),
        (
            newest(0),
            "numeric instance is lower than the required minimum",
        ),
    ] {
        policy(scene, &selection)?;
        for verb in ["put-lifecycle-policy", "start-lifecycle-policy-preview"] {
            let said = [
                "InvalidParameterException",
                "Lifecycle policy validation failure",
                said,
            ];
            ecr(scene, verb, &name).args(POLICY).refused(&said)?;
        }
    }
    Ok(())
}

fn is_told_what_is_not_there(scene: &Scene<'_>) -> Result<()> {
    let name = scene.repository("app")?;
    for (verb, said) in [
        ("get-lifecycle-policy", "LifecyclePolicyNotFoundException"),
        (
            "delete-lifecycle-policy",
            "LifecyclePolicyNotFoundException",
        ),
        (
            "start-lifecycle-policy-preview",
            "LifecyclePolicyNotFoundException",
        ),
        (
            "get-lifecycle-policy-preview",
            "LifecyclePolicyPreviewNotFoundException",
        ),
    ] {
        ecr(scene, verb, &name).refused(&[said, &name])?;
        ecr(scene, verb, "none").refused(&["RepositoryNotFoundException"])?;
    }
    Ok(())
}

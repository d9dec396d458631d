//! The AWS command line interface: when images were pulled, whose pulls do not count, and registries without mounts.

use std::{thread, time::Duration};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use crate::harness::command::Command;
use crate::harness::{Case, Cases, Client, Scene, image};

pub(crate) fn client() -> Client {
    Client {
        name: "aws-ecr-pulls",
        version: super::aws_cli::version,
        cases: Cases::Functions(CASES),
    }
}

const CASES: &[Case] = &[
    Case::new(
        "tells_when_an_image_was_pulled",
        tells_when_an_image_was_pulled,
    ),
    Case::new(
        "registers_lists_and_deregisters_exclusions",
        registers_lists_and_deregisters_exclusions,
    ),
];

fn ecr(scene: &Scene<'_>, verb: &str) -> Command {
    scene.command("aws").args(["ecr", verb, "--output", "json"])
}

/// When the image of a tag was last pulled, once that is written.
fn pulled(scene: &Scene<'_>, repository: &str, tag: &str) -> Result<Value> {
    for _ in 0..120 {
        let described = ecr(scene, "describe-images")
            .args([
                "--repository-name",
                repository,
                "--image-ids",
                &format!("imageTag={tag}"),
            ])
            .json()?;
        if let Some(time) = described["imageDetails"][0].get("lastRecordedPullTime") {
            return Ok(time.clone());
        }
        thread::sleep(Duration::from_millis(500));
    }
    bail!("the pull of {tag} was not recorded")
}

/// crane pulls over `/v2`.
fn tells_when_an_image_was_pulled(scene: &Scene<'_>) -> Result<()> {
    let name = scene.repository("pulled")?;
    let scene = scene.logged_in()?;
    let (layout, _) = image::single(scene.path("layout"), b"pulled")?;
    let target = format!("{}/{name}:v1", scene.host());
    let crane = |verb: &str| scene.command("crane").arg(verb);
    crane("push").arg(&layout.path).arg(&target).run()?;
    let described = ecr(scene, "describe-images")
        .args(["--repository-name", &name])
        .json()?;
    let detail = &described["imageDetails"][0];
    ensure!(detail.get("lastRecordedPullTime").is_none(), "{detail}");
    crane("pull")
        .arg(&target)
        .arg(scene.path("image.tar"))
        .run()?;
    let time = pulled(scene, &name, "v1")?;
    ensure!(time != detail["imagePushedAt"], "{time}");
    Ok(())
}

fn registers_lists_and_deregisters_exclusions(scene: &Scene<'_>) -> Result<()> {
    let role = format!("arn:aws:iam::000000000000:role/{}/scanner", scene.prefix());
    let on = |verb: &str| ecr(scene, verb).args(["--principal-arn", &role]);
    on("deregister-pull-time-update-exclusion").refused(&["ExclusionNotFoundException", &role])?;
    let made = on("register-pull-time-update-exclusion").json()?;
    ensure!(
        made["principalArn"] == role.as_str() && made.get("createdAt").is_some(),
        "{made}"
    );
    on("register-pull-time-update-exclusion")
        .refused(&["ExclusionAlreadyExistsException", &role])?;
    let listed = ecr(scene, "list-pull-time-update-exclusions").json()?;
    let all = listed["pullTimeUpdateExclusions"].as_array().cloned();
    ensure!(all.unwrap_or_default().contains(&json!(role)), "{listed}");
    ecr(scene, "register-pull-time-update-exclusion")
        .args(["--principal-arn", "arn:aws:iam::000000000000:root"])
        .refused(&["InvalidParameterException", "principalArn"])?;
    let taken = on("deregister-pull-time-update-exclusion").json()?;
    ensure!(taken == json!({"principalArn": role}), "{taken}");
    Ok(())
}

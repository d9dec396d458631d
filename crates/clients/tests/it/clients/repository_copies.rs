//! `longshore repository`, with crane, skopeo and Docker on what it renames, copies and moves.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::docker::docker;
use crate::harness::command::Command;
use crate::harness::image::{self, noise};
use crate::harness::{Case, Cases, Client, Scene, tar};

pub(crate) fn client() -> Client {
    Client {
        name: "repository-copies",
        version: |scene| longshore(scene).arg("--version").text(),
        cases: Cases::Functions(CASES),
    }
}

const CASES: &[Case] = &[
    Case::new("renames_what_docker_pushed", renames_what_docker_pushed),
    Case::new("copies_all_of_an_index", copies_all_of_an_index),
    Case::new("copies_what_cosign_like_tools_attach", copies_referrers),
    Case::new("moves_to_another_region", moves_to_another_region),
    Case::new("is_told_what_is_wrong", is_told_what_is_wrong),
    Case::new(
        "tells_how_each_command_is_used",
        tells_how_each_command_is_used,
    ),
];

fn longshore(scene: &Scene<'_>) -> Command {
    scene.command(&scene.world.tools.server.to_string_lossy())
}

fn repository(scene: &Scene<'_>, verb: &str) -> Command {
    longshore(scene).args(["repository", verb])
}

fn crane(scene: &Scene<'_>, verb: &str) -> Command {
    scene.command("crane").arg(verb)
}

fn renames_what_docker_pushed(scene: &Scene<'_>) -> Result<()> {
    scene.logged_in()?;
    let name = scene.repository("app")?;
    let tag = format!("{}/{name}:v1", scene.host());
    let archive = scene.file("root.tar", tar::pack(&[("file", &noise(5, 70_000))]))?;
    docker(scene)?.arg("import").arg(&archive).arg(&tag).run()?;
    docker(scene)?.args(["push", "-q", &tag]).run()?;
    let digest = crane(scene, "digest").arg(&tag).text()?;
    let new = format!("{name}-new");
    repository(scene, "rename").args([&name, &new]).run()?;
    let renamed = format!("{}/{new}", scene.host());
    docker(scene)?.args(["rmi", "-f", &tag]).run()?;
    docker(scene)?
        .args(["pull", "-q", &format!("{renamed}@{digest}")])
        .run()?;
    crane(scene, "digest").arg(&tag).refused(&["NAME_UNKNOWN"])
}

fn copies_all_of_an_index(scene: &Scene<'_>) -> Result<()> {
    scene.logged_in()?;
    let name = scene.repository("app")?;
    let from = format!("{}/{name}:multi", scene.host());
    let (layout, digest) = image::multi(scene.path("layout"), b"of an index")?;
    crane(scene, "push").arg(&layout.path).arg(&from).run()?;
    let new = format!("{name}-mirror");
    let copy = repository(scene, "copy")
        .args([&name, &new, "--wait", "--json"])
        .json()?;
    ensure!(copy["status"] == "COMPLETE", "{copy}");
    let to = format!("{}/{new}:multi", scene.host());
    ensure!(
        crane(scene, "digest").arg(&to).text()? == digest,
        "another index"
    );
    for place in [from, to] {
        scene
            .command("skopeo")
            .args(["copy", "--src-tls-verify=false", "--all"])
            .arg(format!("docker://{place}"))
            .arg(format!(
                "dir:{}",
                scene.path(&image::digest(place.as_bytes())).display()
            ))
            .run()?;
    }
    Ok(())
}

fn copies_referrers(scene: &Scene<'_>) -> Result<()> {
    let name = scene.repository("app")?;
    let manifest = |subject: Option<&str>| {
        let empty = json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": image::digest(b"{}"), "size": 2});
        let mut manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": "application/vnd.example", "config": empty, "layers": [empty]});
        if let Some(subject) = subject {
            manifest["subject"] = json!({"mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": image::digest(subject.as_bytes()), "size": subject.len()});
        }
        manifest.to_string()
    };
    scene.logged_in()?;
    let subject = manifest(None);
    let referrer = manifest(Some(&subject));
    upload_empty(scene, &name)?;
    for (text, tag) in [(&subject, "v1"), (&referrer, "signature")] {
        scene.api(
            "PutImage",
            &json!({"repositoryName": name, "imageManifest": text, "imageTag": tag}),
        )?;
    }
    let new = format!("{name}-mirror");
    repository(scene, "copy")
        .args([&name, &new, "--wait"])
        .run()?;
    let id = json!({"imageDigest": image::digest(subject.as_bytes())});
    let of = |name: &str| {
        scene.api(
            "ListImageReferrers",
            &json!({"repositoryName": name, "subjectId": id}),
        )
    };
    let (before, after): (Value, Value) = (of(&name)?, of(&new)?);
    ensure!(
        before["referrers"] == after["referrers"],
        "{before} is not {after}"
    );
    ensure!(
        after["referrers"][0]["digest"] == image::digest(referrer.as_bytes()),
        "{after}"
    );
    Ok(())
}

/// Uploads the empty object by the API.
fn upload_empty(scene: &Scene<'_>, name: &str) -> Result<()> {
    let begun = scene.api("InitiateLayerUpload", &json!({"repositoryName": name}))?;
    let mut part = json!({"repositoryName": name, "uploadId": begun["uploadId"],
        "partFirstByte": 0, "partLastByte": 1, "layerPartBlob": "e30="});
    scene.api("UploadLayerPart", &part)?;
    for member in ["partFirstByte", "partLastByte", "layerPartBlob"] {
        part.as_object_mut().map(|members| members.remove(member));
    }
    part["layerDigests"] = json!([image::digest(b"{}")]);
    scene.api("CompleteLayerUpload", &part).map(drop)
}

fn moves_to_another_region(scene: &Scene<'_>) -> Result<()> {
    scene.logged_in()?;
    let name = scene.repository("app")?;
    let from = format!("{}/{name}:v1", scene.host());
    let (layout, digest) = image::single(scene.path("layout"), &noise(9, 300_000))?;
    crane(scene, "push").arg(&layout.path).arg(&from).run()?;
    let region = "eu-west-3";
    let moved = repository(scene, "move")
        .args([&name, "--to-region", region, "--wait", "--json"])
        .json()?;
    ensure!(moved["status"] == "COMPLETE", "{moved}");
    ensure!(moved["copiedBytes"].as_i64() > Some(300_000), "{moved}");
    crane(scene, "digest")
        .arg(&from)
        .refused(&["NAME_UNKNOWN"])?;
    let list = ["ecr", "list-images", "--repository-name", &name];
    let there = scene
        .command("aws")
        .args(list)
        .args(["--region", region])
        .json()?;
    ensure!(
        there["imageIds"] == json!([{"imageDigest": digest, "imageTag": "v1"}]),
        "{there}"
    );
    scene
        .command("aws")
        .args(list)
        .refused(&["RepositoryNotFoundException"])
}

fn is_told_what_is_wrong(scene: &Scene<'_>) -> Result<()> {
    let name = scene.repository("app")?;
    repository(scene, "rename")
        .args([&name, &name])
        .refused(&["RepositoryAlreadyExistsException"])?;
    repository(scene, "copy")
        .args([&name, "Not/A/Name", "--wait"])
        .refused(&["InvalidParameterException", "targetRepositoryName"])?;
    repository(scene, "move")
        .args([&name, "--to-account", "123"])
        .refused(&["InvalidParameterException", "targetRegistryId"])?;
    repository(scene, "copy")
        .args([&name, "copy"])
        .env("AWS_SECRET_ACCESS_KEY", "wrong")
        .refused(&["InvalidSignatureException"])
}

fn tells_how_each_command_is_used(scene: &Scene<'_>) -> Result<()> {
    for verb in ["rename", "copy", "move", "status", "cancel"] {
        let help = repository(scene, verb).arg("--help").text()?;
        let example = format!("Example: longshore repository {verb} ");
        ensure!(help.contains(&example), "{help}");
    }
    Ok(())
}

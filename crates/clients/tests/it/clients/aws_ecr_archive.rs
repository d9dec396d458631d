//! The AWS command line interface and crane: images are archived and restored, their bytes in a directory of their own.

use std::{fs, path::Path, thread, time::Duration};

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use crate::harness::command::Command;
use crate::harness::server::Server;
use crate::harness::{Case, Cases, Client, Scene, image};

pub(crate) fn client() -> Client {
    Client {
        name: "aws-ecr-archive",
        version: super::aws_cli::version,
        cases: Cases::Functions(CASES),
    }
}

const CASES: &[Case] = &[
    Case::new(
        "archives_and_restores_an_image",
        archives_and_restores_an_image,
    ),
    Case::new(
        "keeps_archived_bytes_elsewhere",
        keeps_archived_bytes_elsewhere,
    ),
];

fn ecr(scene: &Scene<'_>, verb: &str, repository: &str) -> Command {
    scene.command("aws").args([
        "ecr",
        verb,
        "--output",
        "json",
        "--repository-name",
        repository,
    ])
}

/// Asks for a storage class of the image `v1`.
fn update(command: Command, class: &str) -> Command {
    command.args(["--image-id", "imageTag=v1", "--target-storage-class", class])
}

/// Waits until `done`.
fn until(what: &str, done: impl Fn() -> Result<bool>) -> Result<()> {
    for _ in 0..240 {
        if done()? {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(250));
    }
    bail!("{what} did not come about")
}

fn archives_and_restores_an_image(scene: &Scene<'_>) -> Result<()> {
    let name = scene.repository("app")?;
    let scene = scene.logged_in()?;
    let (layout, _) = image::single(scene.path("layout"), b"archived")?;
    let target = format!("{}/{name}:v1", scene.host());
    let crane = |verb: &str| scene.command("crane").arg(verb);
    crane("push").arg(&layout.path).arg(&target).run()?;
    let change = |class: &str| update(ecr(scene, "update-image-storage-class", &name), class);
    let unsupported = ["ImageStorageClassUpdateNotSupportedException"];
    change("STANDARD").refused(&unsupported)?;
    let archived = change("ARCHIVE").json()?;
    ensure!(
        archived["imageStatus"] == "ARCHIVED" && archived["imageId"]["imageTag"] == "v1",
        "{archived}"
    );
    change("ARCHIVE").refused(&unsupported)?;
    crane("manifest")
        .arg(&target)
        .refused(&["MANIFEST_UNKNOWN", "Requested image not found"])?;
    let listed = |status: &str| -> Result<Value> {
        let filter = format!("imageStatus={status}");
        let mut described = ecr(scene, "describe-images", &name)
            .args(["--filter", &filter])
            .json()?;
        Ok(described["imageDetails"].take())
    };
    ensure!(
        listed("ACTIVE")? == Value::Array(Vec::new()),
        "an archived image is listed"
    );
    let there = listed("ARCHIVED")?;
    ensure!(
        there[0]["imageStatus"] == "ARCHIVED" && !there[0]["lastArchivedAt"].is_null(),
        "{there}"
    );
    let gotten = ecr(scene, "batch-get-image", &name)
        .args(["--image-ids", "imageTag=v1"])
        .json()?;
    ensure!(
        gotten["failures"][0]["failureCode"] == "ImageInaccessible",
        "{gotten}"
    );
    let restored = change("STANDARD").json()?;
    ensure!(restored["imageStatus"] == "ACTIVATING", "{restored}");
    until("the restoration", || {
        Ok(listed("ACTIVE")?[0].get("lastActivatedAt").is_some())
    })?;
    crane("pull")
        .arg(&target)
        .arg(scene.path("image.tar"))
        .run()?;
    // A push restores at once.
    change("ARCHIVE").run()?;
    crane("push").arg(&layout.path).arg(&target).run()?;
    crane("manifest").arg(&target).run().map(drop)
}

fn keeps_archived_bytes_elsewhere(scene: &Scene<'_>) -> Result<()> {
    let archive = scene.path("archive");
    let url = format!("file://{}", archive.display());
    let flags = ["--archive-blobs", url.as_str()];
    let mut server = Server::start(&scene.world.tools.server, "127.0.0.1:0", &flags)?;
    let at_server = |command: Command| {
        let exports = server.exports.iter();
        exports.fold(command, |command, (name, value)| command.env(name, value))
    };
    let password = at_server(scene.command("aws").args(["ecr", "get-login-password"])).text()?;
    scene.with_password(server.authority(), &password)?;
    at_server(ecr(scene, "create-repository", "app")).run()?;
    let (layout, _) = image::single(scene.path("layout"), &image::noise(5, 3_000_000))?;
    let target = format!("{}/app:v1", server.authority());
    let crane = |verb: &str| scene.command("crane").arg(verb);
    crane("push").arg(&layout.path).arg(&target).run()?;
    let change = |class: &str| {
        update(
            at_server(ecr(scene, "update-image-storage-class", "app")),
            class,
        )
        .run()
    };
    change("ARCHIVE")?;
    until("the move", || Ok(bytes_in(&archive)? > 3_000_000))?;
    crane("pull")
        .arg(&target)
        .arg(scene.path("no.tar"))
        .refused(&["MANIFEST_UNKNOWN"])?;
    change("STANDARD")?;
    until("the restoration", || {
        let found = crane("manifest").arg(&target).whatever()?;
        Ok(found.stdout.contains("layers"))
    })?;
    // crane compares every layer with its digest.
    crane("pull")
        .arg(&target)
        .arg(scene.path("image.tar"))
        .run()?;
    crane("validate").args(["--remote", &target]).run()?;
    server.stop()
}

/// The bytes of all files under a directory.
fn bytes_in(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        bytes += if path.is_dir() {
            bytes_in(&path)?
        } else {
            path.metadata()?.len()
        };
    }
    Ok(bytes)
}

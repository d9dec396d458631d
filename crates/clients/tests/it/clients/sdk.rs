//! The AWS SDKs, each through one small program in `tests/clients/sdk`.

use anyhow::{Context, Result};

use crate::harness::command::Command;
use crate::harness::{Cases, Client, Outcome, Scene};

pub(crate) fn go() -> Client {
    client(
        "sdk-go",
        |scene| version_of(go_program(scene)),
        |scene| scene.program(go_program(scene)),
    )
}

pub(crate) fn js() -> Client {
    client(
        "sdk-js",
        |scene| version_of(js_program(scene)),
        |scene| scene.program(js_program(scene)),
    )
}

pub(crate) fn java() -> Client {
    client(
        "sdk-java",
        |scene| version_of(java_program(scene)),
        |scene| scene.program(java_program(scene)),
    )
}

pub(crate) fn rust() -> Client {
    client(
        "sdk-rust",
        |scene| version_of(rust_program(scene)),
        |scene| scene.program(rust_program(scene)),
    )
}

fn client(
    name: &'static str,
    version: fn(&Scene<'_>) -> Result<String>,
    program: fn(&Scene<'_>) -> Result<Vec<Outcome>>,
) -> Client {
    Client {
        name,
        version,
        cases: Cases::Program(program),
    }
}

fn go_program(scene: &Scene<'_>) -> Command {
    scene.command("longshore-sdk-go")
}

fn js_program(scene: &Scene<'_>) -> Command {
    scene
        .command("node")
        .arg(scene.cache().join("sdk-js/journey.js"))
}

fn java_program(scene: &Scene<'_>) -> Command {
    let java = scene.cache().join("sdk-java");
    let class_path = format!("{0}/classes:{0}/lib/*", java.display());
    scene
        .command("java")
        .args(["-XX:TieredStopAtLevel=1", "-cp", &class_path, "Journey"])
}

fn rust_program(scene: &Scene<'_>) -> Command {
    scene.command("longshore-sdk-rust")
}

/// What the program says when it is asked for nothing but its SDK's version.
fn version_of(program: Command) -> Result<String> {
    let output = program.env("VERSION_ONLY", "1").run()?;
    let version = output
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("version "));
    Ok(version.context("the program tells no version")?.to_owned())
}

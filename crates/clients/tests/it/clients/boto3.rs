//! boto3, through one program that tells of its own cases.

use anyhow::Result;

use crate::harness::command::Command;
use crate::harness::{Cases, Client, Scene};

pub(crate) fn client() -> Client {
    Client {
        name: "boto3",
        version,
        cases: Cases::Program(|scene| scene.program(program(scene))),
    }
}

/// Repository creation templates, by a program of their own.
pub(crate) fn templates() -> Client {
    Client {
        name: "boto3-templates",
        version,
        cases: Cases::Program(|scene| {
            scene.program(python(scene).arg(scene.programs().join("boto3/templates.py")))
        }),
    }
}

/// The archive storage class, by a program of its own.
pub(crate) fn archive() -> Client {
    Client {
        name: "boto3-archive",
        version,
        cases: Cases::Program(|scene| {
            scene.program(python(scene).arg(scene.programs().join("boto3/archive.py")))
        }),
    }
}

pub(super) fn python(scene: &Scene<'_>) -> Command {
    scene.command("python").env("PYTHONDONTWRITEBYTECODE", "1")
}

fn program(scene: &Scene<'_>) -> Command {
    python(scene).arg(scene.programs().join("boto3/journey.py"))
}

pub(super) fn version(scene: &Scene<'_>) -> Result<String> {
    python(scene)
        .args(["-c", "import boto3, botocore; print(boto3.__version__)"])
        .text()
}

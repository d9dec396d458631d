//! The project's own recipes. `cargo xtask check` is what a developer runs, `cargo xtask ci` what CI runs.
#![expect(clippy::print_stdout, reason = "a tool for a terminal")]

mod tidy;

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
cargo xtask install   the clients that the tests drive, and the service model that they check against
cargo xtask check     formatting, lints, documentation, tidiness, tests
cargo xtask clients   the real clients against the real server
cargo xtask ci        install, check, clients
cargo xtask tidy      crate directions, stray marks; prints the sizes of files and functions";

fn main() -> Result<()> {
    let root = root();
    match env::args().nth(1).as_deref() {
        Some("install") => install(&root),
        Some("check") => check(&root),
        Some("clients") => clients(&root),
        Some("ci") => install(&root)
            .and_then(|()| check(&root))
            .and_then(|()| clients(&root)),
        Some("tidy") => tidy::run(&root),
        _ => bail!("{USAGE}"),
    }
}

fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).unwrap_or(here)
}

fn check(root: &PathBuf) -> Result<()> {
    cargo(root, &["fmt", "--all", "--check"])?;
    tidy::run(root)?;
    cargo(
        root,
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ],
    )?;
    let documented = [
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--quiet",
    ];
    run(Command::new("cargo")
        .args(documented)
        .env("RUSTDOCFLAGS", "-D warnings")
        .current_dir(root))?;
    cargo(
        root,
        &["test", "--workspace", "--exclude", CLIENTS, "--quiet"],
    )
}

const CLIENTS: &str = "longshore-clients-test";

fn install(root: &PathBuf) -> Result<()> {
    run(Command::new("bash")
        .arg(".ci/install-clients")
        .current_dir(root))
}

fn clients(root: &PathBuf) -> Result<()> {
    cargo(root, &["build", "--quiet", "--bin", "longshore"])?;
    cargo(root, &["test", "--quiet", "--package", CLIENTS])
}

fn cargo(root: &PathBuf, args: &[&str]) -> Result<()> {
    run(Command::new("cargo").args(args).current_dir(root))
}

fn run(command: &mut Command) -> Result<()> {
    println!("+ {command:?}");
    let status = command
        .status()
        .with_context(|| format!("{command:?} does not start"))?;
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}

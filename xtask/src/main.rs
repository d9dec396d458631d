//! The project's own recipes. `cargo xtask check` is what a developer runs, `cargo xtask ci` what CI runs.
#![expect(clippy::print_stdout, reason = "a tool for a terminal")]

mod tidy;

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
cargo xtask install   the clients that the tests drive, and the service model that they check against
cargo xtask check     formatting, lints, documentation, tidiness, tests
cargo xtask soak      collection under fire on each pair of engines: kills, and what is lost; then without each guard, where something must be
cargo xtask clients   the real clients against the real server
cargo xtask ci        install, check, soak, clients
cargo xtask tidy      crate directions, stray marks; prints the sizes of files and functions";

fn main() -> Result<()> {
    let root = root();
    match env::args().nth(1).as_deref() {
        Some("install") => install(&root),
        Some("check") => check(&root),
        Some("soak") => soak(&root),
        Some("clients") => clients(&root),
        Some("ci") => install(&root)
            .and_then(|()| check(&root))
            .and_then(|()| soak(&root))
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
    )?;
    on_postgres(root)?;
    on_s3(root)?;
    on_postgres_and_s3(root)
}

/// The product once more, on the engine for several servers.
fn on_postgres(root: &PathBuf) -> Result<()> {
    let tests = [
        "test",
        "--quiet",
        "--package",
        "longshore-registry",
        "--test",
        "it",
        "--test",
        "interleavings",
    ];
    run(Command::new("cargo")
        .args(tests)
        .env("LONGSHORE_TEST_ENGINE", "postgres")
        .current_dir(root))
}

/// The product and its faults once more with blobs in a bucket.
fn on_s3(root: &PathBuf) -> Result<()> {
    let tests = [
        "test",
        "--quiet",
        "--package",
        "longshore-registry",
        "--test",
        "it",
        "--test",
        "model",
        "--test",
        "faults",
    ];
    run(Command::new("cargo")
        .args(tests)
        .env("LONGSHORE_TEST_BLOBS", "s3")
        .current_dir(root))
}

/// The server over HTTP, and `kill -9` of it, with nothing in its directory.
fn on_postgres_and_s3(root: &PathBuf) -> Result<()> {
    let tests = [
        "test",
        "--quiet",
        "--package",
        "longshore",
        "--test",
        "it",
        "--test",
        "crash",
        "--",
        "--skip",
        "whatever_was_acknowledged_survives_the_end_or_the_sleep_of_any_replica",
    ];
    run(Command::new("cargo")
        .args(tests)
        .env("LONGSHORE_TEST_ENGINE", "postgres")
        .env("LONGSHORE_TEST_BLOBS", "s3")
        .current_dir(root))
}

/// What the soak runs on: metadata, blobs, and how long.
const SOAKS: [&[&str]; 4] = [
    &["--kills=20", "--operations=10000", "--workers=16"],
    &["--blobs=versitygw", "--kills=5", "--operations=1000"],
    &[
        "--metadata=postgres",
        "--kill-database",
        "--kills=6",
        "--operations=1000",
    ],
    &[
        "--metadata=postgres",
        "--blobs=versitygw",
        "--servers=3",
        "--kills=6",
        "--operations=1000",
    ],
];
/// The guards that the soak switches off, to show that it sees what they prevent.
const GUARDS: [&str; 3] = ["promise", "grace", "foreign-keys"];

/// Runs the soak against servers of its own build, which alone can hasten time.
fn soak(root: &PathBuf) -> Result<()> {
    let server = [
        "build",
        "--quiet",
        "--package",
        "longshore",
        "--features",
        "soak",
    ];
    cargo(root, &server)?;
    let server = format!("--server={}", root.join("target/debug/longshore").display());
    let tool = [
        "run",
        "--quiet",
        "--package",
        "longshore-bench",
        "--",
        "soak",
        &server,
    ];
    for options in SOAKS {
        cargo(root, &[&tool[..], options].concat())?;
    }
    for metadata in ["--metadata=sqlite", "--metadata=postgres"] {
        for guard in GUARDS {
            cargo(root, &[&tool[..], &[metadata, "--without", guard]].concat())?;
        }
    }
    Ok(())
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

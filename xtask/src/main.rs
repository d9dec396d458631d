//! The project's own recipes. `cargo xtask check` is what a developer runs, `cargo xtask ci` what CI runs.
#![expect(clippy::print_stdout, reason = "a tool for a terminal")]

mod suites;
mod tidy;

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use suites::Which;

const USAGE: &str = "\
cargo xtask install   the clients that the tests drive, and the service model that they check against
cargo xtask check     formatting, lints, documentation, tidiness, the tests on each pair of engines
cargo xtask clients   the real clients against the real server
cargo xtask soak      collection under fire on each pair of engines: kills, and what is lost; then without each guard, where something must be
cargo xtask ci        install, check, clients, soak
cargo xtask tidy      crate directions, stray marks; prints the sizes of files and functions";

fn main() -> Result<()> {
    let root = root();
    match env::args().nth(1).as_deref() {
        Some("install") => install(&root),
        Some("check") => lint(&root).and_then(|()| suites::run(&root, Which::Product)),
        Some("clients") => suites::run(&root, Which::Clients),
        Some("soak") => soak(&root),
        Some("ci") => install(&root)
            .and_then(|()| lint(&root))
            .and_then(|()| suites::run(&root, Which::Product))
            .and_then(|()| suites::run(&root, Which::Clients))
            .and_then(|()| soak(&root)),
        Some("tidy") => tidy::run(&root),
        _ => bail!("{USAGE}"),
    }
}

fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).unwrap_or(here)
}

fn lint(root: &PathBuf) -> Result<()> {
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
        "--sleep-seconds=10",
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

fn install(root: &PathBuf) -> Result<()> {
    run(Command::new("bash")
        .arg(".ci/install-clients")
        .current_dir(root))
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

//! The program itself: its lines, its signals, its refusals.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

fn longshore(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
    command
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env_clear();
    command
}

fn serve(dir: &std::path::Path) -> Child {
    let dir = dir.to_str().unwrap();
    longshore(&["serve", "--data-dir", dir, "--listen", "127.0.0.1:0"])
        .spawn()
        .unwrap()
}

fn lines_until_ready(child: &mut Child) -> Vec<String> {
    let mut lines = Vec::new();
    let stdout = BufReader::new(child.stdout.as_mut().unwrap());
    for line in stdout.lines() {
        lines.push(line.unwrap());
        if lines.last().unwrap().starts_with("Longshore is ready at ") {
            break;
        }
    }
    lines
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[test]
fn the_first_start_prints_credentials_then_the_ready_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = serve(dir.path());
    let lines = lines_until_ready(&mut child);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines[0].starts_with("export AWS_ACCESS_KEY_ID=AKIA"),
        "{}",
        lines[0]
    );
    assert_eq!(lines[1], "unset AWS_SESSION_TOKEN AWS_PROFILE");
    let url = lines[2].strip_prefix("Longshore is ready at ").unwrap();
    assert!(
        lines[0].contains(&format!(" AWS_ENDPOINT_URL={url} ")),
        "{lines:?}"
    );
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut logs = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut logs)
        .unwrap();
    let secret = lines[0]
        .split("AWS_SECRET_ACCESS_KEY=")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert!(!logs.contains(secret));
    for line in logs.lines() {
        assert!(
            serde_json::from_str::<serde_json::Value>(line).is_ok(),
            "{line}"
        );
    }
    let mut child = serve(dir.path());
    assert_eq!(
        lines_until_ready(&mut child).len(),
        1,
        "credentials are printed once"
    );
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_killed_server_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    for expected in [3, 1, 1] {
        let mut child = serve(dir.path());
        assert_eq!(lines_until_ready(&mut child).len(), expected);
        signal(&child, Signal::KILL);
        child.wait().unwrap();
    }
}

#[test]
fn what_is_not_built_is_refused_in_one_line() {
    for (args, expected) in [
        (
            ["--metadata", "postgres://u:p@h/d"],
            "error: a master key is made only where everything is stored in the data directory: \
             give yours with --master-key-file or LONGSHORE_MASTER_KEY\n",
        ),
        (
            ["--blobs", "gs://bucket"],
            "error: `--blobs` cannot be `gs`: it is `file` or `s3://BUCKET/PREFIX`\n",
        ),
        (
            ["--quotas", "gcr"],
            "error: `--quotas` cannot be `gcr`: the only set is `ecr`\n",
        ),
        (
            ["--account", "12"],
            "error: `--account` cannot be `12`: account id is not twelve digits\n",
        ),
    ] {
        let output = longshore(&["serve", args[0], args[1]]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_port_in_use_is_an_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let args = [
        "serve",
        "--data-dir",
        dir.path().to_str().unwrap(),
        "--listen",
        &address,
    ];
    let output = longshore(&args).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.starts_with(&format!("error: cannot listen on `{address}`")),
        "{error}"
    );
}

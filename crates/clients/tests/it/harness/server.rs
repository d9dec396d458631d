//! The real server as a child process, and what it says when it starts.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use longshore_testbed::s3::{self, S3Server};
use tempfile::TempDir;

const READY: &str = "Longshore is ready at ";
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server with its data in a temporary directory.
pub(crate) struct Server {
    child: Child,
    directory: TempDir,
    /// The URL of its ready line.
    pub(crate) url: String,
    /// What it tells its operator to export.
    pub(crate) exports: BTreeMap<String, String>,
}

impl Server {
    /// Starts the binary on an empty data directory, and bucket if tests are told to use one, and waits until it says that
    /// it is ready.
    pub(crate) fn start(binary: &Path, listen: &str, flags: &[&str]) -> Result<Self> {
        let directory = TempDir::with_prefix("longshore-server-")?;
        let stored = s3::is_chosen().then(|| {
            let bucket = S3Server::shared();
            bucket.environment(&bucket.fresh_prefix())
        });
        let mut child = Command::new(binary)
            .args(["serve", "--listen", listen, "--data-dir"])
            .arg(directory.path().join("data"))
            .args(flags)
            .env_clear()
            .envs(stored.into_iter().flatten())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(log_of(&directory))?)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let stdout = child
            .stdout
            .take()
            .context("the server has no standard output")?;
        let mut server = Self {
            child,
            directory,
            url: String::new(),
            exports: BTreeMap::new(),
        };
        server
            .await_ready(stdout)
            .with_context(|| format!("server log:\n{}", server.log()))?;
        Ok(server)
    }

    /// One of the variables that the server tells its operator to export.
    pub(crate) fn export(&self, name: &str) -> Result<&str> {
        self.exports
            .get(name)
            .map(String::as_str)
            .with_context(|| format!("the server printed no {name}"))
    }

    /// The `HOST:PORT` that image references of this server begin with.
    pub(crate) fn authority(&self) -> &str {
        self.url
            .split_once("://")
            .map_or(self.url.as_str(), |(_, authority)| authority)
    }

    /// What the server has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(log_of(&self.directory)).unwrap_or_default()
    }

    /// Asks the server to stop and demands that it ends with success.
    pub(crate) fn stop(&mut self) -> Result<()> {
        Command::new("kill")
            .arg(self.child.id().to_string())
            .status()?;
        let status = self.child.wait()?;
        ensure!(
            status.success(),
            "the server ended with {status} after SIGTERM"
        );
        Ok(())
    }

    fn await_ready(&mut self, stdout: ChildStdout) -> Result<()> {
        let lines = follow(stdout);
        loop {
            let line = lines
                .recv_timeout(PATIENCE)
                .context("the server did not say that it is ready")?;
            if let Some(url) = line.strip_prefix(READY) {
                url.trim().clone_into(&mut self.url);
                break;
            }
            self.exports.extend(exports_of(&line));
        }
        if self.exports.is_empty() {
            bail!("the server printed no credentials");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing is lost if it already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_of(directory: &TempDir) -> PathBuf {
    directory.path().join("log")
}

/// Hands on each line of the server's standard output, and reads on after nobody listens any more.
fn follow(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

fn exports_of(line: &str) -> Vec<(String, String)> {
    let Some(pairs) = line.trim().strip_prefix("export ") else {
        return Vec::new();
    };
    let pairs = pairs
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
        .collect()
}

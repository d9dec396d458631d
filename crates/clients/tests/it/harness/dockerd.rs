//! A Docker daemon of the suite's own: no bridge, no firewall rules, nothing shared with the machine's.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(40);
const STORAGE_DRIVERS: [&str; 2] = ["overlay2", "vfs"];

/// A running daemon with its state in a temporary directory.
pub(crate) struct Dockerd {
    child: Child,
    directory: TempDir,
}

impl Dockerd {
    /// Starts the daemon, trusting `authority`, with the first storage driver that works here.
    pub(crate) fn start(path: &str, authority: &Path) -> Result<Self> {
        let mut logs = String::new();
        for driver in STORAGE_DRIVERS {
            let mut daemon = Self::spawn(path, authority, driver)?;
            if daemon.comes_up()? {
                return Ok(daemon);
            }
            logs.push_str(&daemon.log());
        }
        bail!("no storage driver works:\n{logs}")
    }

    /// The `DOCKER_HOST` of this daemon.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn spawn(path: &str, authority: &Path, driver: &str) -> Result<Self> {
        let directory = TempDir::with_prefix("longshore-dockerd-")?;
        let file = |name: &str| directory.path().join(name);
        fs::write(file("daemon.json"), "{}")?;
        let child = Command::new("dockerd")
            .args([
                "--bridge=none",
                "--iptables=false",
                "--ip6tables=false",
                "--storage-driver",
                driver,
            ])
            .arg("--config-file")
            .arg(file("daemon.json"))
            .arg("--data-root")
            .arg(file("data"))
            .arg("--exec-root")
            .arg(file("exec"))
            .arg("--pidfile")
            .arg(file("pid"))
            .arg("--host")
            .arg(format!("unix://{}", file("socket").display()))
            .env("PATH", path)
            .env("SSL_CERT_FILE", authority)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(file("log"))?)
            .spawn()
            .context("cannot start dockerd")?;
        Ok(Self { child, directory })
    }

    fn comes_up(&mut self) -> Result<bool> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && self.child.try_wait()?.is_none() {
            if self.socket().exists() && self.log().contains("API listen on") {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(false)
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        // A plain SIGTERM lets it stop its containerd and unmount its layers; the namespaces take the rest.
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}

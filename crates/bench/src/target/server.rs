//! The child process behind a target.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

const STOPS_WITHIN: Duration = Duration::from_secs(15);

/// A started server with all that it started, killed when dropped.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
}

impl Server {
    /// Starts `command` in `dir`, its output going to `output.log` there; with at most so many descriptors, if told.
    pub(super) fn spawn(
        command: &str,
        environment: &[(String, String)],
        dir: &Path,
        descriptors: Option<u64>,
    ) -> Result<Self> {
        let log = File::create(dir.join("output.log"))?;
        let limit = descriptors.map_or(String::new(), |most| format!("ulimit -n {most} && "));
        let child = Command::new("sh")
            .args(["-c", &format!("{limit}exec {command}")])
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .current_dir(dir)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot run `{command}`"))?;
        Ok(Self { child })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Fails once the process has ended.
    pub(super) fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server ended with {status}");
        }
        Ok(())
    }

    /// Asks the server to end and waits for it.
    pub(super) fn stop(mut self) -> Result<()> {
        let asked = Instant::now();
        self.signal(Signal::TERM)?;
        while self.child.try_wait()?.is_none() {
            if asked.elapsed() > STOPS_WITHIN {
                eprintln!(
                    "process {} did not end on SIGTERM and is killed",
                    self.child.id()
                );
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) -> rustix::io::Result<()> {
        match Pid::from_raw(self.child.id().cast_signed()) {
            Some(group) => kill_process_group(group, signal),
            None => Ok(()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What has ended needs no signal.
        let _ = self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

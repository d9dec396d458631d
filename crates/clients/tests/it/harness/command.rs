//! One run of a client: bounded in time, with its whole output at hand when it disappoints.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;
use std::process::{self, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// Seconds that a client may take; more means that it hangs.
const PATIENCE: &str = "180";

/// A client's command line in the making.
pub(crate) struct Command {
    inner: process::Command,
    line: String,
}

/// What a client printed.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Command {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut inner = process::Command::new("timeout");
        inner
            .args(["--kill-after=5", PATIENCE])
            .arg(program.as_ref())
            .env_clear()
            .stdin(Stdio::null());
        let name = Path::new(program.as_ref())
            .file_name()
            .unwrap_or(program.as_ref());
        Self {
            inner,
            line: name.to_string_lossy().into_owned(),
        }
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.line.push(' ');
        self.line.push_str(&argument.as_ref().to_string_lossy());
        self.inner.arg(argument);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.inner.env(name, value);
        self
    }

    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.inner.env_remove(name);
        self
    }

    pub(crate) fn directory(mut self, path: &Path) -> Self {
        self.inner.current_dir(path);
        self
    }

    pub(crate) fn stdin(mut self, bytes: &[u8]) -> Result<Self> {
        let mut file: File = tempfile::tempfile()?;
        file.write_all(bytes)?;
        file.rewind()?;
        self.inner.stdin(file);
        Ok(self)
    }

    /// Runs it and returns what it printed; fails unless it ends with success.
    pub(crate) fn run(self) -> Result<Output> {
        let (line, success, output) = self.finish()?;
        ensure!(
            success,
            "`{line}` failed:\n{}{}",
            output.stdout,
            output.stderr
        );
        Ok(output)
    }

    /// Runs it and returns its standard output without the white space around it.
    pub(crate) fn text(self) -> Result<String> {
        Ok(self.run()?.stdout.trim().to_owned())
    }

    /// Runs it and parses its standard output as JSON.
    pub(crate) fn json(self) -> Result<serde_json::Value> {
        let line = self.line.clone();
        let output = self.run()?;
        serde_json::from_str(&output.stdout)
            .with_context(|| format!("`{line}` printed no JSON: {}", output.stdout))
    }

    /// Runs it, demands that it fails, and that it says all of `reasons`.
    pub(crate) fn refused(self, reasons: &[&str]) -> Result<()> {
        let (line, success, output) = self.finish()?;
        ensure!(
            !success,
            "`{line}` succeeded where a refusal was due:\n{}",
            output.stdout
        );
        let said = format!("{}{}", output.stdout, output.stderr);
        for reason in reasons {
            // Clients quote the registry's message in JSON or Go syntax now and then.
            if !said.contains(reason) && !said.replace("\\\"", "\"").contains(reason) {
                bail!("`{line}` does not say `{reason}`:\n{said}");
            }
        }
        Ok(())
    }

    /// Runs it and returns what it printed, however it ended.
    pub(crate) fn whatever(self) -> Result<Output> {
        Ok(self.finish()?.2)
    }

    fn finish(mut self) -> Result<(String, bool, Output)> {
        let output = self
            .inner
            .output()
            .with_context(|| format!("cannot run `{}`", self.line))?;
        let (stdout, stderr) = (lossy(&output.stdout), lossy(&output.stderr));
        match output.status.code() {
            Some(124 | 137) => bail!("`{}` took over {PATIENCE} s:\n{stdout}{stderr}", self.line),
            Some(127) => bail!("`{}` cannot be run: {stderr}", self.line),
            _ => Ok((
                self.line,
                output.status.success(),
                Output { stdout, stderr },
            )),
        }
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

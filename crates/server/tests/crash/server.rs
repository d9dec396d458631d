//! The real binary on a free port.

use std::{
    fs::OpenOptions,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::api;

/// A server process, killed when dropped.
pub(crate) struct Server(pub(crate) Child);

impl Server {
    /// Starts a server with further variables.
    pub(crate) fn spawn_with(
        data: &Path,
        environment: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(data.with_extension("log"))
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_longshore"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .env("LONGSHORE_ROOT_ACCESS_KEY_ID", api::KEY_ID)
            .env("LONGSHORE_ROOT_SECRET_ACCESS_KEY", api::SECRET)
            .envs(environment)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn();
        Self(child.unwrap())
    }

    /// Waits until it accepts requests; returns where.
    pub(crate) fn until_ready(&mut self, data: &Path) -> SocketAddr {
        let output = BufReader::new(self.0.stdout.as_mut().unwrap());
        for line in output.lines() {
            let line = line.unwrap();
            if let Some(url) = line.strip_prefix("Longshore is ready at http://") {
                let port = url.rsplit(':').next().unwrap();
                return format!("127.0.0.1:{port}").parse().unwrap();
            }
        }
        let log = std::fs::read_to_string(data.with_extension("log")).unwrap();
        panic!("the server did not start: {log}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

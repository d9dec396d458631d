//! A certificate authority for one run, and the certificate it signs for some host names.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::namespace::AMAZONS_HOSTS;

const SIGN: [&str; 6] = ["x509", "-req", "-days", "2", "-CAcreateserial", "-in"];

/// A CA with one server certificate.
pub(crate) struct Authority {
    directory: TempDir,
}

impl Authority {
    /// Signs for the ECR-shaped host names.
    pub(crate) fn create() -> Result<Self> {
        Self::of(&AMAZONS_HOSTS)
    }

    /// Signs for `hosts`.
    pub(crate) fn of(hosts: &[&str]) -> Result<Self> {
        let authority = Self {
            directory: TempDir::with_prefix("longshore-ca-")?,
        };
        let names: Vec<String> = hosts.iter().map(|host| format!("DNS:{host}")).collect();
        let names = format!("subjectAltName={}\n", names.join(","));
        fs::write(authority.file("names"), names)?;
        authority.openssl(
            &[
                "req",
                "-x509",
                "-days",
                "2",
                "-subj",
                "/CN=Longshore test CA",
                "-keyout",
                "ca.key",
            ],
            "ca.crt",
        )?;
        authority.openssl(
            &["req", "-subj", "/CN=registry", "-keyout", "server.key"],
            "server.csr",
        )?;
        let sign = [
            &SIGN[..],
            &[
                "server.csr",
                "-CA",
                "ca.crt",
                "-CAkey",
                "ca.key",
                "-extfile",
                "names",
            ],
        ]
        .concat();
        authority.openssl(&sign, "server.crt")?;
        Ok(authority)
    }

    /// What a client has to trust.
    pub(crate) fn bundle(&self) -> PathBuf {
        self.file("ca.crt")
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.file("server.crt")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.file("server.key")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn openssl(&self, arguments: &[&str], out: &str) -> Result<()> {
        let mut command = Command::new("openssl");
        command
            .args(arguments)
            .args(["-out", out])
            .current_dir(self.directory.path())
            .stderr(Stdio::null());
        if arguments.first() == Some(&"req") {
            command.args([
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ]);
        }
        let status = command.status().context("cannot run openssl")?;
        ensure!(status.success(), "openssl {} failed", arguments.join(" "));
        Ok(())
    }
}

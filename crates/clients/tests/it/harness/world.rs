//! What all cases share: the server under test, and on demand a Docker daemon and an ECR-shaped server.

use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow};

use super::command::Command;
use super::dockerd::Dockerd;
use super::issuer::Issuer;
use super::server::Server;
use super::tls::Authority;
use super::tools::Tools;

/// The shared parts, each started once and stopped with the suite.
pub(crate) struct World {
    pub(crate) tools: Tools,
    pub(crate) server: Server,
    /// The registry password of the administrator, as `aws ecr get-login-password` gives it.
    pub(crate) password: String,
    dockerd: OnceLock<Result<Dockerd, String>>,
    ecr_shaped: OnceLock<Result<EcrShaped, String>>,
}

/// A server on port 443 of Amazon's own host names, with a certificate that a test CA signed.
pub(crate) struct EcrShaped {
    pub(crate) server: Server,
    pub(crate) authority: Authority,
    /// An identity provider that the server may talk to.
    pub(crate) issuer: Issuer,
}

impl World {
    pub(crate) fn start() -> Result<Self> {
        let tools = Tools::find()?;
        let server = Server::start(&tools.server, "127.0.0.1:0", &[])?;
        let password = password(&tools, &server).context("cannot get the registry password")?;
        Ok(Self {
            tools,
            server,
            password,
            dockerd: OnceLock::new(),
            ecr_shaped: OnceLock::new(),
        })
    }

    /// The Docker daemon, started at first use.
    pub(crate) fn dockerd(&self) -> Result<&Dockerd> {
        let started = self.dockerd.get_or_init(|| {
            let authority = self
                .ecr_shaped()
                .map_err(|error| format!("{error:#}"))?
                .authority
                .bundle();
            Dockerd::start(&self.tools.path(), &authority).map_err(|error| format!("{error:#}"))
        });
        started
            .as_ref()
            .map_err(|error| anyhow!("no Docker daemon: {error}"))
    }

    /// The ECR-shaped server, started at first use.
    pub(crate) fn ecr_shaped(&self) -> Result<&EcrShaped> {
        let started = self
            .ecr_shaped
            .get_or_init(|| EcrShaped::start(&self.tools).map_err(|error| format!("{error:#}")));
        started
            .as_ref()
            .map_err(|error| anyhow!("no ECR-shaped server: {error}"))
    }
}

impl EcrShaped {
    fn start(tools: &Tools) -> Result<Self> {
        let authority = Authority::create()?;
        let (certificate, key) = (authority.certificate(), authority.key());
        let issuer = Issuer::start()?;
        let trusted = issuer.ca();
        let flags = [
            "--tls-cert",
            &certificate.to_string_lossy(),
            "--tls-key",
            &key.to_string_lossy(),
            "--oidc-allow-network",
            "127.0.0.0/8",
            "--oidc-ca-file",
            &trusted.to_string_lossy(),
        ];
        let listen = format!("{}:443", super::namespace::TLS_ADDRESS);
        Ok(Self {
            server: Server::start(&tools.server, &listen, &flags)?,
            authority,
            issuer,
        })
    }
}

fn password(tools: &Tools, server: &Server) -> Result<String> {
    let command = Command::new("aws")
        .args(["ecr", "get-login-password"])
        .env("PATH", tools.path());
    server
        .exports
        .iter()
        .fold(command, |command, (name, value)| command.env(name, value))
        .text()
}

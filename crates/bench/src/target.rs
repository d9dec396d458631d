//! A running server: started in a fresh directory, asked until it is ready, stopped at the end.

mod placeholders;
mod server;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::aws::Keys;
use crate::client::{Credentials, Endpoint};
use crate::config::{Kind, TargetConfig};
use crate::registry::Registry;
use placeholders::Placeholders;
use server::Server;

const READY_WITHIN: Duration = Duration::from_secs(30);

/// A server that is ready to be driven.
#[derive(Debug)]
pub struct Target {
    /// What the file says of it.
    pub config: TargetConfig,
    /// Where static files go.
    pub data: PathBuf,
    endpoint: Rc<Endpoint>,
    credentials: Rc<Credentials>,
    keys: Option<Keys>,
    placeholders: Placeholders,
    server: Option<Server>,
    prepared: RefCell<HashSet<String>>,
    next: Cell<u64>,
}

impl Target {
    /// Starts the server in `dir`, which is made, or finds the running one.
    pub async fn start(config: &TargetConfig, dir: &Path, copies: bool) -> Result<Self> {
        let started = Self::start_unnamed(config, dir, copies).await;
        started.with_context(|| format!("cannot start target `{}`", config.name))
    }

    async fn start_unnamed(config: &TargetConfig, dir: &Path, copies: bool) -> Result<Self> {
        let data = dir.join("data");
        std::fs::create_dir_all(&data)?;
        let placeholders = Placeholders::new(config, dir, &data)?;
        if let Some(text) = &config.config {
            std::fs::write(dir.join("config"), placeholders.fill(text))?;
        }
        let server = match &config.command {
            Some(command) => Some(Server::spawn(
                &placeholders.fill(command),
                &placeholders.environment,
                dir,
            )?),
            None => None,
        };
        let mut endpoint = Endpoint::of_url(&placeholders.url, copies)?;
        if let Some(host) = &config.host {
            endpoint.authority = placeholders.fill(host);
        }
        let mut target = Self {
            config: config.clone(),
            data,
            endpoint: Rc::new(endpoint),
            credentials: Rc::new(Credentials::new(config.auth.as_deref())),
            keys: None,
            placeholders,
            server,
            prepared: RefCell::default(),
            next: Cell::new(0),
        };
        target.wait_until_ready().await?;
        target.learn_credentials()?;
        Ok(target)
    }

    /// Returns the name in the report.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Returns the root of the process tree to measure, if known.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Server::pid).or(self.config.pid)
    }

    /// Returns a client with a connection of its own.
    pub fn client(&self) -> Registry {
        Registry::new(Rc::clone(&self.endpoint), Rc::clone(&self.credentials))
    }

    /// Returns a number never returned before, for a body or name that must be new.
    pub fn fresh_number(&self) -> u64 {
        let number = self.next.get();
        self.next.set(number + 1);
        number
    }

    /// Runs the `prepare` command for a repository, once.
    pub fn prepare(&self, repository: &str) -> Result<()> {
        let Some(command) = &self.config.prepare else {
            return Ok(());
        };
        if !self.is_new(repository) {
            return Ok(());
        }
        self.shell("prepare", &command.replace("{repository}", repository))
            .map(drop)
    }

    /// Whether this was not asked about `thing` before.
    pub fn is_new(&self, thing: &str) -> bool {
        self.prepared.borrow_mut().insert(thing.to_owned())
    }

    /// Returns the key for ECR's API.
    pub(crate) fn keys(&self) -> Result<&Keys> {
        self.keys.as_ref().context("there is no `keys_command`")
    }

    /// Runs the `preload_images` command; `false` when there is none.
    pub fn preload_images(&self, repository: &str, count: u64) -> Result<bool> {
        let command = self.config.preload_images.as_deref();
        self.preload("preload_images", command, repository, "{images}", count)
    }

    /// Runs the `preload_repositories` command once; `false` when there is none.
    pub fn preload_repositories(&self, repository: &str, count: u64) -> Result<bool> {
        let command = self.config.preload_repositories.as_deref();
        let is_done = !self.is_new(&format!("{count} like {repository}"));
        Ok(is_done
            || self.preload(
                "preload_repositories",
                command,
                repository,
                "{repositories}",
                count,
            )?)
    }

    /// Runs the `preload_tags` command; `false` when there is none.
    pub fn preload_tags(&self, repository: &str, count: u64) -> Result<bool> {
        let command = self.config.preload_tags.as_deref();
        self.preload("preload_tags", command, repository, "{tags}", count)
    }

    fn preload(
        &self,
        name: &str,
        command: Option<&str>,
        repository: &str,
        counted: &str,
        count: u64,
    ) -> Result<bool> {
        let Some(command) = command else {
            return Ok(false);
        };
        let command = command
            .replace("{repository}", repository)
            .replace(counted, &count.to_string());
        self.shell(name, &command).map(|_| true)
    }

    /// Stops the server if it was started here.
    pub fn stop(self) -> Result<()> {
        self.server.map_or(Ok(()), Server::stop)
    }

    fn learn_credentials(&mut self) -> Result<()> {
        if let Some(command) = &self.config.auth_command {
            let pair = self.shell("auth_command", command)?;
            ensure!(
                pair.contains(':'),
                "auth_command printed no `user:password`"
            );
            self.credentials = Rc::new(Credentials::new(Some(pair.trim())));
        }
        if let Some(command) = &self.config.keys_command {
            let pair = self.shell("keys_command", command)?;
            let (id, secret) = pair
                .trim()
                .split_once(':')
                .context("keys_command printed no `id:secret`")?;
            self.keys = Some(Keys {
                id: id.to_owned(),
                secret: secret.to_owned(),
            });
        }
        Ok(())
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            let answer = self.client().ping().await;
            match answer {
                Ok(status) if self.config.kind == Kind::Static || matches!(status, 200 | 401) => {
                    return Ok(());
                }
                Ok(status) if started.elapsed() > READY_WITHIN => {
                    bail!("GET /v2/ answers {status}")
                }
                Err(error) if started.elapsed() > READY_WITHIN => return Err(error),
                _ => {}
            }
            if let Some(server) = &mut self.server {
                server.check_alive()?;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn shell(&self, name: &str, command: &str) -> Result<String> {
        let command = self.placeholders.fill(command);
        let output = Command::new("sh")
            .args(["-c", &command])
            .envs(
                self.placeholders
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .output()
            .with_context(|| format!("cannot run {name}"))?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "{name} failed: {}",
            complaint.trim()
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

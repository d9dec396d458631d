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

/// How long a server may take to answer; some read all that they hold.
const READY_WITHIN: Duration = Duration::from_mins(3);

/// How servers are driven and started.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Whether pulled bodies are copied to user space.
    pub copies: bool,
    /// The most descriptors that a started server may have; the tool's own limit if absent.
    pub descriptors: Option<u64>,
}

/// A server that is ready to be driven.
#[derive(Debug)]
pub struct Target {
    /// What the file says of it.
    pub config: TargetConfig,
    /// Where static files go.
    pub data: PathBuf,
    options: Options,
    /// One for each replica.
    endpoints: Vec<Rc<Endpoint>>,
    next_endpoint: Cell<usize>,
    credentials: Rc<Credentials>,
    keys: Option<Keys>,
    placeholders: Placeholders,
    server: RefCell<Option<Server>>,
    prepared: RefCell<HashSet<String>>,
    next: Cell<u64>,
}

impl Target {
    /// Starts the server in `dir`, which is made, or finds the running one.
    pub async fn start(config: &TargetConfig, dir: &Path, options: Options) -> Result<Self> {
        let started = Self::start_unnamed(config, dir, options).await;
        started.with_context(|| format!("cannot start target `{}`", config.name))
    }

    async fn start_unnamed(config: &TargetConfig, dir: &Path, options: Options) -> Result<Self> {
        let data = dir.join("data");
        std::fs::create_dir_all(&data)?;
        let placeholders = Placeholders::new(config, dir, &data)?;
        if let Some(text) = &config.config {
            std::fs::write(dir.join("config"), placeholders.fill(text))?;
        }
        let mut endpoint = Endpoint::of_url(&placeholders.url, options.copies)?;
        if let Some(host) = &config.host {
            endpoint.authority = placeholders.fill(host);
        }
        let mut endpoints = vec![Rc::new(endpoint)];
        for url in &config.replicas {
            let endpoint = Endpoint::of_url(&placeholders.fill(url), options.copies)?;
            endpoints.push(Rc::new(endpoint));
        }
        let mut target = Self {
            config: config.clone(),
            data,
            options,
            endpoints,
            next_endpoint: Cell::new(0),
            credentials: Rc::new(Credentials::new(config.auth.as_deref())),
            keys: None,
            placeholders,
            server: RefCell::default(),
            prepared: RefCell::default(),
            next: Cell::new(0),
        };
        target.spawn(dir)?;
        target.wait_until_ready().await?;
        target.learn_credentials()?;
        Ok(target)
    }

    fn spawn(&self, dir: &Path) -> Result<()> {
        let Some(command) = &self.config.command else {
            return Ok(());
        };
        let command = self.placeholders.fill(command);
        let environment = &self.placeholders.environment;
        let server = Server::spawn(&command, environment, dir, self.options.descriptors)?;
        *self.server.borrow_mut() = Some(server);
        Ok(())
    }

    /// Stops the server and starts it again over what it holds; returns how long it took to answer.
    pub async fn restart(&self) -> Result<Duration> {
        let dir = self.data.parent().context("a server has no directory")?;
        let server = self.server.borrow_mut().take();
        server.context("the server was not started here")?.stop()?;
        let started = Instant::now();
        self.spawn(dir)?;
        self.wait_until_ready().await?;
        Ok(started.elapsed())
    }

    /// Returns the name in the report.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Returns the root of the process tree to measure, if known.
    pub fn pid(&self) -> Option<u32> {
        let server = self.server.borrow();
        server.as_ref().map(Server::pid).or(self.config.pid)
    }

    /// Returns a client with a connection of its own; those of replicas are given in turn.
    pub fn client(&self) -> Registry {
        let turn = self.next_endpoint.get();
        self.next_endpoint.set((turn + 1) % self.endpoints.len());
        Registry::new(
            Rc::clone(&self.endpoints[turn]),
            Rc::clone(&self.credentials),
        )
    }

    /// Returns where the first server listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoints[0]
    }

    /// Runs the `count_command`; `None` when there is none.
    pub fn count(&self) -> Result<Option<f64>> {
        let Some(command) = &self.config.count_command else {
            return Ok(None);
        };
        let printed = self.shell("count_command", command)?;
        let number = printed.trim().parse();
        Ok(Some(number.context("count_command printed no number")?))
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
        if self.is_done(repository) {
            return Ok(());
        }
        self.shell("prepare", &command.replace("{repository}", repository))?;
        self.done(repository);
        Ok(())
    }

    /// Whether `thing` was put in place.
    pub fn is_done(&self, thing: &str) -> bool {
        self.prepared.borrow().contains(thing)
    }

    /// Remembers that `thing` was put in place.
    pub fn done(&self, thing: &str) {
        self.prepared.borrow_mut().insert(thing.to_owned());
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
        let thing = format!("{count} like {repository}");
        if self.is_done(&thing) {
            return Ok(true);
        }
        let name = "preload_repositories";
        let is_done = self.preload(name, command, repository, "{repositories}", count)?;
        self.done(&thing);
        Ok(is_done)
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
        self.server.into_inner().map_or(Ok(()), Server::stop)
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

    async fn wait_until_ready(&self) -> Result<()> {
        for _ in &self.endpoints {
            self.wait_for_next().await?;
        }
        Ok(())
    }

    /// Waits for the replica whose turn it is.
    async fn wait_for_next(&self) -> Result<()> {
        let started = Instant::now();
        let mut client = self.client();
        loop {
            let answer = client.ping().await;
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
            if let Some(server) = self.server.borrow_mut().as_mut() {
                server.check_alive()?;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
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

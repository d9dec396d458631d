//! The servers of a soak: started, killed, started again.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::Options;
use super::api::Keys;
use super::clock::Clock;

/// What it takes to start a server.
#[derive(Debug, Clone)]
struct Recipe {
    command: String,
    environment: Vec<(&'static str, String)>,
    work: PathBuf,
}

/// All servers, dead or alive.
#[derive(Debug)]
pub(super) struct Fleet {
    recipe: Recipe,
    servers: Vec<Option<Server>>,
    crashes: u64,
}

/// A server that accepts requests.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    address: SocketAddr,
}

/// A server that is to be started, perhaps after some more deaths.
#[derive(Debug)]
pub(super) struct Restart {
    recipe: Recipe,
    number: usize,
    /// How long each try lives that is killed while it starts.
    stillborn: Vec<Duration>,
}

impl Fleet {
    pub(super) async fn start(options: &Options, clock: &Clock, keys: &Keys) -> Result<Self> {
        let mut environment = vec![
            ("LONGSHORE_SOAK_CLOCK", clock.setting()),
            ("LONGSHORE_ROOT_ACCESS_KEY_ID", keys.id.clone()),
            ("LONGSHORE_ROOT_SECRET_ACCESS_KEY", keys.secret.clone()),
            ("LONGSHORE_LIFECYCLE_INTERVAL", "1h".to_owned()),
        ];
        if let Some(guard) = &options.without {
            environment.push(("LONGSHORE_SOAK_WITHOUT", guard.clone()));
        }
        let recipe = Recipe {
            command: options.command.clone(),
            environment,
            work: options.work.clone(),
        };
        let mut fleet = Self {
            recipe,
            servers: Vec::new(),
            crashes: 0,
        };
        for number in 0..options.servers {
            let restart = fleet.restart(number, Vec::new());
            fleet.servers.push(Some(restart.ready().await?));
        }
        Ok(fleet)
    }

    fn restart(&self, number: usize, stillborn: Vec<Duration>) -> Restart {
        Restart {
            recipe: self.recipe.clone(),
            number,
            stillborn,
        }
    }

    /// Kills a server with SIGKILL; now and then the next one dies while it starts.
    pub(super) fn kill(&mut self, number: usize, random: u64) -> Result<Restart> {
        let Some(mut server) = self.servers[number].take() else {
            bail!("server {number} is not there to be killed");
        };
        server.child.kill()?;
        server.child.wait()?;
        let stillborn = match random % 4 {
            0 => vec![Duration::from_millis(random % 150)],
            _ => Vec::new(),
        };
        self.crashes += 1 + stillborn.len() as u64;
        Ok(self.restart(number, stillborn))
    }

    pub(super) fn revive(&mut self, number: usize, server: Server) {
        self.servers[number] = Some(server);
    }

    /// One of the servers that live, by a random number.
    pub(super) fn address(&self, random: u64) -> Option<SocketAddr> {
        let alive: Vec<_> = self.servers.iter().flatten().collect();
        let index = usize::try_from(random % alive.len().max(1) as u64).ok()?;
        Some(alive.get(index)?.address)
    }

    pub(super) fn crashes(&self) -> u64 {
        self.crashes
    }

    /// Stops all servers with SIGTERM; each must end well.
    pub(super) fn stop(&mut self) -> Result<()> {
        for mut server in self.servers.drain(..).flatten() {
            if let Some(pid) = Pid::from_raw(server.child.id().cast_signed()) {
                kill_process(pid, Signal::TERM)?;
            }
            let status = server.child.wait()?;
            if !status.success() {
                bail!("a server ended with {status}");
            }
        }
        Ok(())
    }
}

impl Restart {
    /// Starts the server and waits until it accepts requests.
    pub(super) async fn ready(self) -> Result<Server> {
        for life in &self.stillborn {
            let mut child = self.spawn()?;
            tokio::time::sleep(*life).await;
            child.kill()?;
            child.wait()?;
        }
        let mut child = self.spawn()?;
        let output = child.stdout.take().context("a server has no output")?;
        let address = tokio::task::spawn_blocking(move || ready_line(output)).await?;
        match address {
            Ok(address) => Ok(Server { child, address }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                let log = self.recipe.work.join(format!("{}.log", self.number));
                Err(error.context(format!("see {}", log.display())))
            }
        }
    }

    fn spawn(&self) -> Result<Child> {
        let dir = self.recipe.work.join(self.number.to_string());
        fs::create_dir_all(&dir)?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.recipe.work.join(format!("{}.log", self.number)))?;
        let command = self
            .recipe
            .command
            .replace("{dir}", &dir.display().to_string())
            .replace("{number}", &self.number.to_string());
        Command::new("sh")
            .args(["-c", &format!("exec {command}")])
            .envs(
                self.recipe
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot run `{command}`"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the line that says where a server listens.
fn ready_line(output: impl std::io::Read) -> Result<SocketAddr> {
    for line in BufReader::new(output).lines() {
        let line = line?;
        if let Some(url) = line.strip_prefix("Longshore is ready at http://") {
            let port = url.rsplit(':').next().unwrap_or_default();
            return Ok(SocketAddr::from((
                [127, 0, 0, 1],
                port.trim_matches('/').parse()?,
            )));
        }
    }
    bail!("a server did not start")
}

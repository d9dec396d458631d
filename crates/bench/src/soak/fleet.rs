//! The servers of a soak: started, killed, started again.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::Options;
use super::clock::Clock;
use crate::aws::Keys;

/// How long a server may fail to start.
const PATIENCE: Duration = Duration::from_mins(1);

/// What it takes to start a server.
#[derive(Debug, Clone)]
struct Recipe {
    program: PathBuf,
    environment: Vec<(&'static str, String)>,
    work: PathBuf,
}

/// All servers, dead or alive.
#[derive(Debug)]
pub(super) struct Fleet {
    recipe: Recipe,
    servers: Vec<Option<Server>>,
    crashes: u64,
    database_crashes: u64,
    /// Which server sleeps.
    asleep: Option<usize>,
    sleeps: u64,
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
    pub(super) async fn start(
        options: &Options,
        environment: &[(&'static str, String)],
        clock: &Clock,
        keys: &Keys,
    ) -> Result<Self> {
        let mut environment = environment.to_vec();
        environment.extend([
            ("LONGSHORE_SOAK_CLOCK", clock.setting()),
            ("LONGSHORE_ROOT_ACCESS_KEY_ID", keys.id.clone()),
            ("LONGSHORE_ROOT_SECRET_ACCESS_KEY", keys.secret.clone()),
            ("LONGSHORE_LIFECYCLE_INTERVAL", "1h".to_owned()),
        ]);
        if let Some(guard) = &options.without {
            environment.push(("LONGSHORE_SOAK_WITHOUT", guard.clone()));
        }
        let recipe = Recipe {
            program: options.server.clone(),
            environment,
            work: options.work.clone(),
        };
        let mut fleet = Self {
            recipe,
            servers: Vec::new(),
            crashes: 0,
            database_crashes: 0,
            asleep: None,
            sleeps: 0,
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

    /// Puts a server to sleep with SIGSTOP, if it lives.
    pub(super) fn put_to_sleep(&mut self, number: usize) -> bool {
        let sent = self.signal(number, Signal::STOP);
        if sent {
            self.asleep = Some(number);
            self.sleeps += 1;
        }
        sent
    }

    /// Wakes the server that sleeps.
    pub(super) fn wake(&mut self) {
        if let Some(number) = self.asleep.take() {
            self.signal(number, Signal::CONT);
        }
    }

    pub(super) fn is_asleep(&self, number: usize) -> bool {
        self.asleep == Some(number)
    }

    /// Whether any has slept and is awake again.
    pub(super) fn has_slept(&self) -> bool {
        self.sleeps > 0 && self.asleep.is_none()
    }

    pub(super) fn sleeps(&self) -> u64 {
        self.sleeps
    }

    fn signal(&self, number: usize, signal: Signal) -> bool {
        let server = self.servers[number].as_ref();
        let pid = server.and_then(|server| Pid::from_raw(server.child.id().cast_signed()));
        pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    /// One of the servers that live and are awake, by a random number.
    pub(super) fn address(&self, random: u64) -> Option<SocketAddr> {
        let numbered = self.servers.iter().enumerate();
        let awake = numbered.filter(|(number, _)| !self.is_asleep(*number));
        let alive: Vec<_> = awake.filter_map(|(_, server)| server.as_ref()).collect();
        let index = usize::try_from(random % alive.len().max(1) as u64).ok()?;
        Some(alive.get(index)?.address)
    }

    pub(super) fn crashes(&self) -> u64 {
        self.crashes
    }

    /// How often a server or their database was killed, or a server slept: what goes on across a change of it may be cut.
    pub(super) fn disturbances(&self) -> u64 {
        self.crashes + self.database_crashes + self.sleeps
    }

    pub(super) fn count_database_crash(&mut self) {
        self.database_crashes += 1;
    }

    pub(super) fn database_crashes(&self) -> u64 {
        self.database_crashes
    }

    /// An operator's command on the stores of the servers, such as `gc`.
    pub(super) fn operator(&self, command: &str) -> Command {
        self.recipe.command(command, 0)
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

impl Recipe {
    /// A command of the program, on the directory of a server.
    fn command(&self, command: &str, number: usize) -> Command {
        let mut process = Command::new(&self.program);
        process
            .arg(command)
            .arg("--data-dir")
            .arg(self.work.join(number.to_string()))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        process
    }
}

impl Restart {
    /// Starts the server and waits until it accepts requests. An operator's command may hold its directory for a moment, and
    /// its database may be down.
    pub(super) async fn ready(self) -> Result<Server> {
        for life in &self.stillborn {
            let mut child = self.spawn()?;
            tokio::time::sleep(*life).await;
            child.kill()?;
            child.wait()?;
        }
        let started = Instant::now();
        loop {
            match self.start().await {
                Err(_) if started.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                other => return other,
            }
        }
    }

    async fn start(&self) -> Result<Server> {
        let mut child = self.spawn()?;
        let output = child.stdout.take().context("a server has no output")?;
        let address = tokio::task::spawn_blocking(move || ready_line(output)).await?;
        match address {
            Ok(address) => Ok(Server { child, address }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                let log = self.log();
                Err(error.context(format!("see {}", log.display())))
            }
        }
    }

    fn log(&self) -> PathBuf {
        self.recipe.work.join(format!("{}.log", self.number))
    }

    fn spawn(&self) -> Result<Child> {
        fs::create_dir_all(self.recipe.work.join(self.number.to_string()))?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())?;
        self.recipe
            .command("serve", self.number)
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot run {}", self.recipe.program.display()))
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

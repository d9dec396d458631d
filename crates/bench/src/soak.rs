//! Collection under fire: clients push, push again, mount, move tags, delete, archive, copy, let a lifecycle policy expire and
//! pull, and `longshore gc` and `scrub` run beside them, while the servers' time runs thousands of times as fast and servers
//! are killed every few seconds. At the end every image that should exist is pulled and compared byte by byte.
//!
//! What the registry has said is held against it: an acknowledged image is there until it is deleted, and a positive
//! answer about a layer is a promise for twelve hours of the server's time.

mod client;
mod clock;
mod fleet;
mod layers;
mod ledger;
mod operator;
mod worker;

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use serde_json::json;
use tokio::task::{LocalSet, spawn_local};

use crate::aws::Keys;
use crate::engines::{self, Blobs, Engines, Metadata};

use self::client::Client;
use self::clock::Clock;
use self::fleet::Fleet;
use self::layers::Layers;
use self::ledger::Ledger;
use self::worker::Role;

/// Where workers push.
const REPOSITORIES: [&str; 3] = ["soak/a", "soak/b", "soak/c"];
/// Deleted and made again all the time; layers are mounted from it.
const RESTLESS: &str = "soak/restless";
/// A lifecycle policy expires what is tagged `old-…` here after a day.
const EXPIRING: &str = "soak/expiring";
/// The same, and what is expired can be brought back for a week.
const UNDO: &str = "soak/undo";
/// How often the end of a run looks at what is left, with collection under way between the looks.
const LOOKS: u32 = 3;

/// What a run does.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program of the servers, built with the feature `soak`.
    pub server: PathBuf,
    /// What keeps the metadata.
    pub metadata: Metadata,
    /// What keeps the blobs.
    pub blobs: Blobs,
    /// How many servers share the stores; they are killed in turn.
    pub servers: usize,
    /// Kills at least.
    pub kills: usize,
    /// Whether the database is killed, too, now and then.
    pub kills_database: bool,
    /// For how long servers are put to sleep in turn, if they are.
    pub sleep: Option<Duration>,
    /// Acknowledged operations at least.
    pub operations: u64,
    /// Clients at a time.
    pub workers: u64,
    /// Hours of the server's time that pass in a second.
    pub hours_a_second: u32,
    /// The guard that is switched off: `promise`, `grace` or `foreign-keys`.
    pub without: Option<String>,
    /// Where the servers keep their data.
    pub work: PathBuf,
    /// The seed of all choices.
    pub seed: u64,
    /// When to give up, whatever was done.
    pub limit: Duration,
}

/// What a run found.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// Acknowledged operations.
    pub operations: u64,
    /// How many of each kind.
    pub by_kind: Vec<(&'static str, u64)>,
    /// Kills of a server.
    pub crashes: u64,
    /// Kills of the database.
    pub database_crashes: u64,
    /// How often a server slept.
    pub sleeps: u64,
    /// Images verified byte by byte at the end.
    pub verified: usize,
    /// Hours that passed for the servers.
    pub hours: i64,
    /// Seconds that it took.
    pub seconds: u64,
    /// What was acknowledged and is not so.
    pub lost: Vec<String>,
}

/// What the clients share.
struct Soak {
    options: Options,
    keys: Keys,
    clock: Clock,
    engines: RefCell<Engines>,
    fleet: RefCell<Fleet>,
    layers: Layers,
    ledger: Ledger,
    interrupted: Cell<bool>,
    over: Cell<bool>,
}

/// Runs a soak. Fails when the servers do not start or do nothing; what is lost is in the outcome.
pub async fn run(options: Options) -> Result<Outcome> {
    engines::check(options.metadata, options.servers)?;
    let started = Instant::now();
    let clock = Clock::start(options.hours_a_second);
    let keys = Keys::new(options.seed);
    let engines = Engines::start(options.metadata, options.blobs, &options.work).await?;
    let fleet = Fleet::start(&options, &engines.environment, &clock, &keys).await?;
    let soak = Rc::new(Soak {
        layers: Layers::new(options.seed),
        ledger: Ledger::default(),
        interrupted: Cell::new(false),
        over: Cell::new(false),
        engines: RefCell::new(engines),
        fleet: RefCell::new(fleet),
        keys,
        clock,
        options,
    });
    soak.prepare().await?;
    LocalSet::new().run_until(drive(&soak)).await?;
    let verified = soak.verify().await?;
    let ledger = &soak.ledger;
    soak.fleet.borrow_mut().stop()?;
    Ok(Outcome {
        operations: ledger.operations(),
        by_kind: ledger.by_kind(),
        crashes: soak.fleet.borrow().crashes(),
        database_crashes: soak.fleet.borrow().database_crashes(),
        sleeps: soak.fleet.borrow().sleeps(),
        verified,
        hours: soak.clock.hours(),
        seconds: started.elapsed().as_secs(),
        lost: ledger.lost(),
    })
}

/// Lets the clients work and kills servers until enough was done.
async fn drive(soak: &Rc<Soak>) -> Result<()> {
    let pushers = (0..soak.options.workers).map(|number| (number, Role::Pusher));
    let others = [Role::Restless, Role::Copier, Role::Keeper].into_iter();
    let others = others.zip(1_000_000..).map(|(role, number)| (number, role));
    let mut tasks: Vec<_> = pushers
        .chain(others)
        .map(|(number, role)| spawn_local(worker::work(Rc::clone(soak), number, role)))
        .collect();
    tasks.push(spawn_local(operator::operate(Rc::clone(soak))));
    tasks.push(spawn_local(put_to_sleep(Rc::clone(soak))));
    let teller = spawn_local(tell(Rc::clone(soak)));
    let result = soak.crash_servers().await;
    teller.abort();
    soak.over.set(true);
    for task in tasks {
        task.await?;
    }
    result
}

/// Puts one server after the other to sleep, in the middle of what it does. Nobody kills it meanwhile, and whoever waits for its
/// answer goes on waiting.
async fn put_to_sleep(soak: Rc<Soak>) {
    let Some(sleep) = soak.options.sleep else {
        return;
    };
    for number in (0..soak.options.servers).cycle() {
        tokio::time::sleep(Duration::from_secs(2)).await;
        if soak.over.get() {
            return;
        }
        if !soak.fleet.borrow_mut().put_to_sleep(number) {
            continue;
        }
        tokio::time::sleep(sleep).await;
        soak.fleet.borrow_mut().wake();
    }
}

/// Says on standard error how far it is, each minute, and at once what is lost. Whoever interrupts is told what was done.
async fn tell(soak: Rc<Soak>) {
    let (mut told, started) = (0, Instant::now());
    for second in 1_u64.. {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            _ = tokio::signal::ctrl_c() => soak.interrupted.set(true),
        }
        let lost = soak.ledger.lost();
        for what in lost.iter().skip(told) {
            eprintln!("lost after {} s: {what}", started.elapsed().as_secs());
        }
        told = lost.len();
        if second % 60 == 0 {
            let (operations, crashes) = (soak.ledger.operations(), soak.fleet.borrow().crashes());
            let seconds = started.elapsed().as_secs();
            eprintln!("{seconds} s: operations {operations}, crashes {crashes}, lost {told}");
        }
    }
}

impl Soak {
    /// How long a client may go without an answer before the soak gives up.
    fn patience(&self) -> Duration {
        Duration::from_mins(1) + self.options.sleep.unwrap_or_default()
    }

    async fn prepare(&self) -> Result<()> {
        let mut client = Client::new(self);
        for name in REPOSITORIES.into_iter().chain([EXPIRING, UNDO]) {
            client.create(name).await?;
        }
        let mut policy = json!({"rules": [{
            "rulePriority": 1,
            "selection": {"tagStatus": "tagged", "tagPrefixList": ["old-"], "countType": "sinceImagePushed",
                "countUnit": "days", "countNumber": 1},
            "action": {"type": "expire"},
        }]});
        for name in [EXPIRING, UNDO] {
            let input = json!({"repositoryName": name, "lifecyclePolicyText": policy.to_string()});
            client.api("PutLifecyclePolicy", &input).await?;
            policy["x-longshore-undoHours"] = json!(24 * 7);
        }
        Ok(())
    }

    async fn crash_servers(&self) -> Result<()> {
        let mut random = self.options.seed;
        let started = Instant::now();
        for turn in 0.. {
            random = crate::payload::mix(random.wrapping_add(1));
            let crashes = usize::try_from(self.fleet.borrow().crashes())?;
            // Now and then they live long enough for a slow pull to see its file's grace time end.
            let life = match random % 8 {
                0 => self.clock.real(60),
                _ => Duration::from_millis(300 + (random >> 8) % 2_500),
            };
            tokio::time::sleep(life).await;
            let slept = self.options.sleep.is_none() || self.fleet.borrow().has_slept();
            let enough = slept
                && crashes >= self.options.kills
                && self.ledger.operations() >= self.options.operations;
            // Without a guard it goes on until that shows.
            let done = if self.options.without.is_some() {
                self.ledger.has_lost()
            } else {
                enough
            };
            if done || self.interrupted.get() || started.elapsed() > self.options.limit {
                return Ok(());
            }
            if self.options.kills_database && turn % 5 == 4 {
                self.crash_database().await?;
                continue;
            }
            let number = turn % self.options.servers;
            if self.fleet.borrow().is_asleep(number) {
                continue;
            }
            let restart = self.fleet.borrow_mut().kill(number, random)?;
            let revived = restart.ready().await?;
            self.fleet.borrow_mut().revive(number, revived);
        }
        Ok(())
    }

    async fn crash_database(&self) -> Result<()> {
        let Some(database) = self.engines.borrow_mut().take_database() else {
            return Ok(());
        };
        self.fleet.borrow_mut().count_database_crash();
        let database = engines::crash(database).await?;
        self.engines.borrow_mut().put_database(database);
        Ok(())
    }

    /// Pulls all that should exist, several times, with hours for collection between.
    async fn verify(&self) -> Result<usize> {
        let mut client = Client::new(self);
        let kept = self.ledger.kept();
        for look in 0..LOOKS {
            for (place, image) in &kept {
                if let Some(problem) = client.verify(place, image).await? {
                    self.ledger.lose(problem);
                }
            }
            if look + 1 < LOOKS {
                tokio::time::sleep(self.clock.real(30)).await;
            }
        }
        let may_be_none = self.options.without.is_some();
        ensure!(
            may_be_none || !kept.is_empty(),
            "nothing was left to verify"
        );
        Ok(kept.len())
    }
}

impl Outcome {
    /// Whether all that was acknowledged is there.
    pub fn is_sound(&self) -> bool {
        self.lost.is_empty()
    }

    /// A line for people, and what was lost.
    pub fn report(&self) -> Result<String> {
        use std::fmt::Write as _;
        let mut text = String::new();
        for (kind, count) in &self.by_kind {
            write!(text, "{kind} {count}, ").context("writing to memory")?;
        }
        writeln!(
            text,
            "{} images verified, {} hours in {} s",
            self.verified, self.hours, self.seconds
        )?;
        for lost in self.lost.iter().take(20) {
            writeln!(text, "lost: {lost}")?;
        }
        write!(
            text,
            "operations {}, crashes {} (of the database: {}), sleeps {}, lost {}",
            self.operations,
            self.crashes,
            self.database_crashes,
            self.sleeps,
            self.lost.len()
        )?;
        Ok(text)
    }
}

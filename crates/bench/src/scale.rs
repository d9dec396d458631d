//! What a fleet can serve, by simulation: requests queue for processors of replicas and database, and for the database's
//! log, whose flushes take whatever has gathered. Fed with measured costs; docs/scaling.md says which, and how far its answers
//! are from a fleet that was run.

mod line;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use self::line::{Line, Log};
use crate::measure::float;
use crate::payload::mix;

/// A fleet and what is asked of it. Times are in milliseconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// Its name.
    pub name: String,
    /// Servers.
    pub replicas: usize,
    /// Processors of each.
    pub replica_cores: usize,
    /// Processors of the database.
    pub database_cores: usize,
    /// Whether all of it shares the processors of the first replica, as on one machine.
    #[serde(default)]
    pub one_machine: bool,
    /// How long the database's log takes to be durable.
    pub flush: f64,
    /// The way from a replica to the database and back.
    pub round_trip: f64,
    /// Clients that ask again as soon as they are answered.
    pub clients: usize,
    /// What they ask, and how often.
    pub requests: Vec<Request>,
}

/// One kind of request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Its name.
    pub name: String,
    /// How often it is asked, beside the weights of the others.
    pub weight: f64,
    /// Processor time of the replica.
    pub replica: f64,
    /// Processor time of the database.
    pub database: f64,
    /// Processor time of the client, where it is on the same machine.
    #[serde(default)]
    pub client: f64,
    /// Waits for the database.
    pub round_trips: u32,
    /// Durable commits.
    pub commits: u32,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Requests answered in a second.
    pub rate: f64,
    /// The median time of a request, in milliseconds.
    pub p50_ms: f64,
    /// The time that one in a hundred exceeds, in milliseconds.
    pub p99_ms: f64,
    /// How busy replicas are, from 0 to 1.
    pub replicas_busy: f64,
    /// The same of the database's processors.
    pub database_busy: f64,
    /// The same of its log.
    pub log_busy: f64,
    /// Commits that one flush makes durable.
    pub commits_per_flush: f64,
}

/// A step of a request.
#[derive(Debug, Clone, Copy)]
enum Step {
    Replica(f64),
    Database(f64),
    Commit,
    Way(f64),
}

#[derive(Debug)]
struct Job {
    replica: usize,
    began: f64,
    /// In reverse order.
    steps: Vec<Step>,
}

/// What happens at a time: a job comes out of a line, or off its way; or the log is flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Served { line: usize, job: usize },
    Arrived(usize),
    Flushed,
}

/// A time as an integer of nanoseconds, which has an order.
type Nanos = u64;

struct Simulation<'a> {
    fleet: &'a Fleet,
    lines: Vec<Line>,
    log: Log,
    jobs: Vec<Job>,
    events: BinaryHeap<Reverse<(Nanos, Event)>>,
    now: f64,
    random: u64,
    latencies: Vec<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fleets {
    fleet: Vec<Fleet>,
}

/// Simulates the fleets of a TOML text; returns a Markdown table.
pub fn table(text: &str, seed: u64) -> Result<String> {
    let fleets: Fleets = toml::from_str(text)?;
    let mut rows = vec![
        "| fleet | requests/s | p50 ms | p99 ms | replicas busy | database busy | log busy | commits a flush |".to_owned(),
        "|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    for fleet in &fleets.fleet {
        let name = &fleet.name;
        let outcome = simulate(fleet, seed).with_context(|| name.clone())?;
        let Outcome {
            rate,
            p50_ms,
            p99_ms,
            replicas_busy,
            database_busy,
            log_busy,
            commits_per_flush,
        } = outcome;
        rows.push(format!(
            "| {name} | {rate:.0} | {p50_ms:.1} | {p99_ms:.1} | {replicas_busy:.2} | {database_busy:.2} | {log_busy:.2} | {commits_per_flush:.1} |"
        ));
    }
    Ok(rows.join("\n"))
}

/// Requests that are simulated before anything is counted, and those that count.
const WARM: usize = 5_000;
const COUNTED: usize = 100_000;

/// Simulates 100,000 requests; the same seed gives the same outcome.
pub fn simulate(fleet: &Fleet, seed: u64) -> Result<Outcome> {
    ensure!(
        fleet.replicas > 0 && fleet.replica_cores > 0 && fleet.database_cores > 0,
        "a fleet has replicas and processors"
    );
    let weights: f64 = fleet.requests.iter().map(|request| request.weight).sum();
    ensure!(fleet.clients > 0 && weights > 0.0, "nobody asks anything");
    let mut lines: Vec<Line> = (0..fleet.replicas)
        .map(|_| Line::new(fleet.replica_cores))
        .collect();
    lines.push(Line::new(fleet.database_cores));
    let mut simulation = Simulation {
        fleet,
        lines,
        log: Log::default(),
        jobs: Vec::new(),
        events: BinaryHeap::new(),
        now: 0.0,
        random: seed,
        latencies: Vec::new(),
    };
    Ok(simulation.run())
}

impl Simulation<'_> {
    fn run(&mut self) -> Outcome {
        for client in 0..self.fleet.clients {
            let job = self.request(client);
            self.jobs.push(job);
            self.go_on(client);
        }
        let mut since = 0.0;
        while self.latencies.len() < WARM + COUNTED {
            let Some(Reverse((time, event))) = self.events.pop() else {
                break;
            };
            self.now = float(time) / 1e6;
            self.happen(event);
            if since == 0.0 && self.latencies.len() >= WARM {
                since = self.now;
                self.lines.iter_mut().for_each(Line::forget);
                self.log.forget();
            }
        }
        self.outcome(self.now - since)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrived(job) => self.go_on(job),
            Event::Served { line, job } => {
                if let Some((next, time)) = self.lines[line].leave() {
                    self.at(time, Event::Served { line, job: next });
                }
                self.go_on(job);
            }
            Event::Flushed => {
                for job in self.log.flushed() {
                    self.go_on(job);
                }
                self.flush();
            }
        }
    }

    /// Takes a job to its next step; a client whose request is answered asks the next.
    fn go_on(&mut self, job: usize) {
        let Some(step) = self.jobs[job].steps.pop() else {
            self.latencies.push(self.now - self.jobs[job].began);
            self.jobs[job] = self.request(job);
            return self.go_on(job);
        };
        let (line, mean) = match step {
            Step::Way(time) => return self.at(time, Event::Arrived(job)),
            Step::Commit => {
                self.log.wait(job);
                return self.flush();
            }
            Step::Replica(mean) => (self.jobs[job].replica, mean),
            Step::Database(mean) => (self.fleet.replicas, mean),
        };
        let line = if self.fleet.one_machine { 0 } else { line };
        let time = self.exponential(mean);
        if self.lines[line].enter(job, time) {
            self.at(time, Event::Served { line, job });
        }
    }

    fn flush(&mut self) {
        if self.log.begin(self.fleet.flush) {
            self.at(self.fleet.flush, Event::Flushed);
        }
    }

    fn at(&mut self, after: f64, event: Event) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a time that is not negative, to the nanosecond"
        )]
        let time = ((self.now + after) * 1e6) as Nanos;
        self.events.push(Reverse((time, event)));
    }

    /// What a client asks next: at a replica by turns, its work spread evenly between its waits for the database.
    fn request(&mut self, client: usize) -> Job {
        let weights: f64 = self
            .fleet
            .requests
            .iter()
            .map(|request| request.weight)
            .sum();
        let mut drawn = self.uniform() * weights;
        let mut chosen = &self.fleet.requests[0];
        for request in &self.fleet.requests {
            chosen = request;
            drawn -= request.weight;
            if drawn < 0.0 {
                break;
            }
        }
        let waits = chosen.round_trips.max(chosen.commits);
        let parts = f64::from(waits + 1);
        let mut steps = vec![Step::Replica(chosen.replica / parts + chosen.client)];
        for wait in 0..waits {
            if wait < chosen.commits {
                steps.push(Step::Commit);
            }
            steps.push(Step::Database(chosen.database / f64::from(waits)));
            steps.push(Step::Way(self.fleet.round_trip));
            steps.push(Step::Replica(chosen.replica / parts));
        }
        Job {
            replica: client % self.fleet.replicas,
            began: self.now,
            steps,
        }
    }

    fn outcome(&mut self, elapsed: f64) -> Outcome {
        let mut latencies = self.latencies.split_off(WARM.min(self.latencies.len()));
        latencies.sort_by(f64::total_cmp);
        let n_answered = latencies.len();
        let at = |per_cent: usize| {
            let index = (n_answered * per_cent / 100).min(n_answered.saturating_sub(1));
            latencies.get(index).copied().unwrap_or_default()
        };
        let (replicas, database) = self.lines.split_at(self.fleet.replicas);
        let busy = replicas.iter().map(|line| line.busy(elapsed)).sum::<f64>();
        Outcome {
            rate: float(n_answered as u64) / elapsed * 1e3,
            p50_ms: at(50),
            p99_ms: at(99),
            replicas_busy: busy / float(replicas.len() as u64),
            database_busy: database[0].busy(elapsed),
            log_busy: self.log.busy(elapsed),
            commits_per_flush: self.log.commits_per_flush(),
        }
    }

    /// A number from 0 to 1.
    fn uniform(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        float(mix(self.random) >> 11) / float(1 << 53)
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.uniform()).ln()
    }
}

#[cfg(test)]
mod tests;

//! What was measured: everything in JSON, ratios in a table.

mod table;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::Kind;
use crate::measure::median;
use crate::workload::{Case, Unit};

pub use table::markdown;

/// A whole run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// The target that is compared with the others.
    pub subject: String,
    /// The number of processors that servers and tool share.
    pub processors: usize,
    /// One entry per case, in order.
    pub cases: Vec<CaseResult>,
}

/// One workload at one concurrency.
#[derive(Debug, Serialize, Deserialize)]
pub struct CaseResult {
    /// The workload.
    pub name: String,
    /// How many lanes worked at once.
    pub concurrency: usize,
    /// What rates and processor times count.
    pub unit: Unit,
    /// What has to be reached.
    pub bar: String,
    /// One entry per target that the work suits.
    pub targets: Vec<TargetResult>,
    /// Processor seconds per GiB of hashing and sealing alone, per round.
    pub reference: Vec<f64>,
}

/// What one target did in one case.
#[derive(Debug, Serialize, Deserialize)]
pub struct TargetResult {
    /// The target's name.
    pub name: String,
    /// Registry or static file server.
    pub kind: Kind,
    /// Why it could not be measured.
    pub failure: Option<String>,
    /// The rounds, in order.
    pub rounds: Vec<Round>,
    /// Resident bytes after settling.
    pub rss_settled: Option<u64>,
}

/// One measured round.
#[derive(Debug, Serialize, Deserialize)]
pub struct Round {
    /// Operations that succeeded.
    pub operations: u64,
    /// Body bytes that they moved.
    pub bytes: u64,
    /// Operations that failed.
    pub errors: u64,
    /// The first failure.
    pub first_error: Option<String>,
    /// Wall time.
    pub seconds: f64,
    /// Operations or MiB per second.
    pub rate: f64,
    /// Median latency.
    pub p50_ms: f64,
    /// 99th percentile of latency.
    pub p99_ms: f64,
    /// Processor time of the server's process tree.
    pub server_cpu_seconds: Option<f64>,
    /// The same per operation or GiB.
    pub server_cpu_per_unit: Option<f64>,
    /// The tool's own processor time per operation or GiB.
    pub client_cpu_per_unit: f64,
    /// The highest resident memory seen.
    pub rss_peak: Option<u64>,
    /// Figures of this workload alone.
    pub figures: BTreeMap<String, f64>,
}

impl Report {
    /// Makes an empty report.
    pub fn new(subject: &str) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            subject: subject.to_owned(),
            processors,
            cases: Vec::new(),
        }
    }
}

impl CaseResult {
    /// Makes an empty result of a case.
    pub fn new(case: &Case) -> Self {
        Self {
            name: case.name.clone(),
            concurrency: case.concurrency,
            unit: case.unit,
            bar: case.bar.to_owned(),
            targets: Vec::new(),
            reference: Vec::new(),
        }
    }

    /// Notes that a target could not be measured.
    pub fn fail(&mut self, name: &str, error: &anyhow::Error) {
        eprintln!("{}: {name} cannot be measured: {error:#}", self.name);
        if let Some(target) = self.targets.iter_mut().find(|target| target.name == name) {
            target.failure = Some(format!("{error:#}"));
        }
    }
}

impl TargetResult {
    /// Makes an empty result of a target.
    pub fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            failure: None,
            rounds: Vec::new(),
            rss_settled: None,
        }
    }

    /// Returns the median of a figure over the rounds, if any round has it and something succeeded in it.
    pub fn median(&self, figure: impl Fn(&Round) -> Option<f64>) -> Option<f64> {
        let good = self.rounds.iter().filter(|round| round.operations > 0);
        let values: Vec<f64> = good.filter_map(figure).collect();
        (!values.is_empty()).then(|| median(values))
    }

    /// Returns how many operations failed.
    pub fn errors(&self) -> u64 {
        self.rounds.iter().map(|round| round.errors).sum()
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1}/s, p50 {:.2} ms, p99 {:.2} ms",
            self.rate, self.p50_ms, self.p99_ms
        )?;
        if let Some(cpu) = self.server_cpu_per_unit {
            write!(f, ", server cpu {:.3} ms", cpu * 1000.0)?;
        }
        write!(
            f,
            ", client cpu {:.3} ms",
            self.client_cpu_per_unit * 1000.0
        )?;
        if let Some(peak) = self.rss_peak {
            write!(f, ", rss {} MiB", peak >> 20)?;
        }
        for (name, value) in &self.figures {
            write!(f, ", {name} {value:.0}")?;
        }
        match &self.first_error {
            Some(error) => write!(f, ", {} errors, first: {error}", self.errors),
            None => Ok(()),
        }
    }
}

//! The schedule: every case, round by round, one target after the other.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::config::Config;
use crate::drive::{Bound, Trial};
use crate::measure::{self, Sampler, Tally, float};
use crate::report::{CaseResult, Report, Round, TargetResult};
use crate::target::{Options, Target};
use crate::workload::{self, Case, Stock, Unit};

const WARM_UP: Bound = Bound {
    time: Duration::from_millis(500),
    count: 200,
};
const MAX_WARM_LANES: usize = 16;

/// What the user chose about the run.
#[derive(Debug)]
pub struct Plan {
    /// The servers.
    pub config: Config,
    /// The cases, in order.
    pub cases: Vec<Case>,
    /// Rounds per case and target.
    pub rounds: usize,
    /// How long to wait after each case before idle memory is read.
    pub settle: Duration,
    /// Whether one process per target serves all cases.
    pub keeps_servers: bool,
    /// How servers are driven and started.
    pub options: Options,
    /// Where servers keep their data.
    pub work: PathBuf,
    /// The name of the target that is compared with the others.
    pub subject: String,
    /// The seed of every body.
    pub seed: u64,
}

impl Plan {
    /// Runs everything; `save` is called after each case, so that an interrupted run is not lost.
    pub async fn run(&self, mut save: impl FnMut(&Report) -> Result<()>) -> Result<Report> {
        let mut report = Report::new(&self.subject);
        let mut fleet = Fleet::default();
        for case in &self.cases {
            if !self.keeps_servers || fleet.targets.is_empty() {
                fleet.stop()?;
                fleet = Fleet::start(self).await?;
            }
            report.cases.push(
                self.case(case, &fleet)
                    .await
                    .with_context(|| case.label())?,
            );
            if !self.keeps_servers {
                self.settle(&mut report, &fleet).await;
            }
            save(&report)?;
        }
        if self.keeps_servers {
            self.settle(&mut report, &fleet).await;
            save(&report)?;
        }
        fleet.stop()?;
        Ok(report)
    }

    async fn case(&self, case: &Case, fleet: &Fleet) -> Result<CaseResult> {
        let mut result = CaseResult::new(case);
        let mut stocked = Vec::new();
        for target in fleet
            .targets
            .iter()
            .filter(|target| case.workload.suits(target))
        {
            eprintln!("{}: preparing {}", case.label(), target.name());
            result
                .targets
                .push(TargetResult::new(target.name(), target.config.kind));
            match self.stock(case, target).await {
                Ok(stock) => stocked.push((result.targets.len() - 1, target, stock)),
                Err(error) => result.fail(target.name(), &error),
            }
        }
        for round in 1..=self.rounds {
            for (index, target, stock) in &stocked {
                rustix::fs::sync();
                let measured = self.round(case, target, stock, round).await?;
                eprintln!(
                    "{}: round {round}, {}: {measured}",
                    case.label(),
                    target.name()
                );
                result.targets[*index].rounds.push(measured);
            }
            // Each round starts with another target, so that no order is favoured.
            let shift = stocked.len().min(1);
            stocked.rotate_left(shift);
            if case.has_reference {
                result
                    .reference
                    .push(workload::cpu_seconds_per_gib(self.seed)?);
            }
        }
        Ok(result)
    }

    async fn stock(&self, case: &Case, target: &Target) -> Result<Stock> {
        let stock = case.workload.stock(target, self.rounds).await?;
        if case.unit != Unit::Connection {
            let bound = Bound {
                time: WARM_UP.time,
                count: case.bound.count.min(WARM_UP.count),
            };
            let concurrency = case.concurrency.min(MAX_WARM_LANES);
            case.workload
                .round(
                    &Trial {
                        target,
                        round: 0,
                        concurrency,
                        bound,
                    },
                    &stock,
                )
                .await?;
        }
        Ok(stock)
    }

    async fn round(
        &self,
        case: &Case,
        target: &Target,
        stock: &Stock,
        round: usize,
    ) -> Result<Round> {
        let trial = Trial {
            target,
            round,
            concurrency: case.concurrency,
            bound: case.bound,
        };
        let counted_before = target.count()?;
        let pid = target.pid();
        let sampler = pid.map(Sampler::start);
        let used_before = pid.map(measure::cpu_seconds);
        let own_before = measure::thread_cpu_seconds();
        let mut tally = case.workload.round(&trial, stock).await?;
        let own = measure::thread_cpu_seconds() - own_before;
        // A server that was started anew has used nothing before.
        let used_before = used_before.filter(|_| target.pid() == pid).or(Some(0.0));
        let used = target
            .pid()
            .map(measure::cpu_seconds)
            .zip(used_before)
            .map(|(after, before)| after - before);
        let peak = sampler.map(Sampler::stop);
        if let Some((after, before)) = target.count()?.zip(counted_before) {
            let each = (after - before) / float(tally.operations.max(1));
            tally.figures.push(("counted", each));
        }
        Ok(summarise(case.unit, &tally, used, own, peak))
    }

    async fn settle(&self, report: &mut Report, fleet: &Fleet) {
        if self.settle.is_zero() {
            return;
        }
        eprintln!("settling for {} s", self.settle.as_secs());
        tokio::time::sleep(self.settle).await;
        let Some(case) = report.cases.last_mut() else {
            return;
        };
        for target in &fleet.targets {
            let Some(pid) = target.pid() else { continue };
            let resident = measure::resident_bytes(&measure::tree(pid));
            if let Some(result) = case
                .targets
                .iter_mut()
                .find(|result| result.name == target.name())
            {
                result.rss_settled = Some(resident);
            }
        }
    }
}

fn summarise(unit: Unit, tally: &Tally, used: Option<f64>, own: f64, peak: Option<u64>) -> Round {
    let seconds = tally.elapsed.as_secs_f64().max(1e-9);
    let (done, per_unit) = match unit {
        Unit::Bytes => (
            float(tally.bytes) / float(1 << 20),
            float(tally.bytes) / float(1 << 30),
        ),
        Unit::Operation | Unit::Connection => (float(tally.operations), float(tally.operations)),
    };
    let each = |seconds: f64| {
        if per_unit > 0.0 {
            seconds / per_unit
        } else {
            0.0
        }
    };
    Round {
        operations: tally.operations,
        bytes: tally.bytes,
        errors: tally.errors,
        first_error: tally.first_error.clone(),
        seconds,
        rate: done / seconds,
        p50_ms: measure::micros(measure::quantile(&tally.latencies, 0.5)),
        p99_ms: measure::micros(measure::quantile(&tally.latencies, 0.99)),
        server_cpu_seconds: used,
        server_cpu_per_unit: used.map(each),
        client_cpu_per_unit: each(own),
        rss_peak: peak,
        figures: tally
            .figures
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect(),
    }
}

/// The running servers and the directory that they live in.
#[derive(Debug, Default)]
struct Fleet {
    targets: Vec<Target>,
    directory: Option<TempDir>,
}

impl Fleet {
    async fn start(plan: &Plan) -> Result<Self> {
        std::fs::create_dir_all(&plan.work)?;
        let directory = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(&plan.work)?;
        let mut targets = Vec::new();
        for config in &plan.config.targets {
            let dir: &Path = &directory.path().join(&config.name);
            targets.push(Target::start(config, dir, plan.options).await?);
        }
        Ok(Self {
            targets,
            directory: Some(directory),
        })
    }

    fn stop(&mut self) -> Result<()> {
        for target in self.targets.drain(..) {
            target.stop()?;
        }
        if let Some(directory) = self.directory.take() {
            directory.close()?;
        }
        Ok(())
    }
}

//! A crowd that pulls one layer: all of them are in the middle of it at the same time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::stock::Stock;
use super::{Target, Trial, Workload};
use crate::config::Kind;
use crate::measure::{Tally, files_below, float, resident_bytes, tree};
use crate::payload::Mold;
use crate::registry::Style;

/// How long a pull may take in all: the kernel may forget a connection and tell only one side.
const PATIENCE: Duration = Duration::from_mins(10);

/// Pulls of one layer that meet before any of them goes on.
#[derive(Debug)]
pub(super) struct Crowd {
    pub(super) size: usize,
    pub(super) seed: u64,
}

/// Where all who pull wait for the last of them.
#[derive(Debug)]
struct Meeting {
    missing: Cell<usize>,
    complete: Notify,
}

impl Meeting {
    fn arrive(&self) {
        self.missing.set(self.missing.get().saturating_sub(1));
        if self.missing.get() == 0 {
            self.complete.notify_waiters();
        }
    }

    async fn all(&self) {
        let complete = self.complete.notified();
        if self.missing.get() > 0 {
            complete.await;
        }
    }
}

#[async_trait(?Send)]
impl Workload for Crowd {
    fn suits(&self, target: &Target) -> bool {
        target.config.kind == Kind::Registry
    }

    async fn stock(&self, target: &Target, _rounds: usize) -> Result<Stock> {
        let mut stock = Stock::repositories(target, &format!("crowd-s{}", self.seed), 1)?;
        let repository = stock.repositories[0].clone();
        let layer = Mold::new(self.size, self.seed).cast(0);
        let mut registry = target.client();
        if !registry.has_blob(&repository, layer.digest()).await? {
            registry.push_blob(&repository, &layer, Style::Put).await?;
        }
        let path = format!("/v2/{repository}/blobs/{}", layer.digest());
        stock.paths.push((repository, path));
        Ok(stock)
    }

    async fn round(&self, trial: &Trial<'_>, stock: &Stock) -> Result<Tally> {
        let pid = trial
            .target
            .pid()
            .context("there is no process to look at")?;
        let (repository, path) = &stock.paths[0];
        let before = files_below(pid, &trial.target.data);
        let meeting = Rc::new(Meeting {
            missing: Cell::new(trial.concurrency),
            complete: Notify::new(),
        });
        let started = Instant::now();
        let pulls = (0..trial.concurrency).map(|_| pull(trial.target, repository, path, &meeting));
        let look = async {
            meeting.all().await;
            let files = files_below(pid, &trial.target.data).saturating_sub(before);
            [
                ("rss_bytes_in_the_middle", float(resident_bytes(&tree(pid)))),
                ("files_of_data_in_the_middle", float(files as u64)),
            ]
        };
        let (pulled, figures) = futures_util::future::join(join_all(pulls), look).await;
        let mut tally = Tally::default();
        for done in pulled {
            match done {
                Ok((bytes, latency)) if bytes == self.size as u64 => tally.success(bytes, latency),
                Ok((bytes, _)) => tally.failure(&anyhow::anyhow!("{bytes} bytes came")),
                Err(error) => tally.failure(&error),
            }
        }
        tally.elapsed = started.elapsed();
        tally.latencies.sort_unstable();
        tally.figures.extend(figures);
        ensure!(
            tally.operations > 0,
            "nobody got it: {:?}",
            tally.first_error
        );
        Ok(tally)
    }
}

/// Begins to pull, waits for the others, goes on; returns how many bytes came, and how long it took since they met.
async fn pull(
    target: &Target,
    repository: &str,
    path: &str,
    meeting: &Meeting,
) -> Result<(u64, Duration)> {
    let met = Cell::new(None);
    let has_arrived = Cell::new(false);
    let meet = async {
        has_arrived.set(true);
        meeting.arrive();
        meeting.all().await;
        met.set(Some(Instant::now()));
    };
    let mut client = target.client();
    let answer = timeout(PATIENCE, client.get_after(repository, path, meet)).await;
    if !has_arrived.get() {
        // Nobody waits for whoever will not come.
        meeting.arrive();
    }
    let answer = answer.context("no end")??.expect(200, path)?;
    let since = met.get().unwrap_or_else(Instant::now);
    Ok((answer.length, since.elapsed()))
}

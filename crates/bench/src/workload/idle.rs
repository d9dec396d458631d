//! Memory held for connections that are open and silent.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use async_trait::async_trait;

use super::{Stock, Target, Trial, Workload};
use crate::drive::Bound;
use crate::measure::{Tally, float, resident_bytes, tree};
use crate::registry::Registry;

const QUIET: Duration = Duration::from_secs(2);

/// Opens many connections, asks one thing on each, and lets them be.
#[derive(Debug)]
pub(super) struct Idle {
    pub(super) connections: u64,
}

#[async_trait(?Send)]
impl Workload for Idle {
    async fn stock(&self, _target: &Target, _rounds: usize) -> Result<Stock> {
        Ok(Stock::default())
    }

    async fn round(&self, trial: &Trial<'_>, _stock: &Stock) -> Result<Tally> {
        let pid = trial
            .target
            .pid()
            .context("memory cannot be read without a process id")?;
        warm_up(trial).await;
        let before = resident_bytes(&tree(pid));
        let started = Instant::now();
        let mut tally = Tally::default();
        let mut open = Vec::new();
        for _ in 0..self.connections {
            let mut registry = trial.target.client();
            match ping(&mut registry).await {
                Ok(latency) => tally.success(0, latency),
                Err(error) => tally.failure(&error),
            }
            open.push(registry);
        }
        tally.elapsed = started.elapsed();
        tally.latencies.sort_unstable();
        tokio::time::sleep(QUIET).await;
        let growth = resident_bytes(&tree(pid)).saturating_sub(before);
        tally.figures.push((
            "rss_bytes_per_connection",
            float(growth) / float(self.connections.max(1)),
        ));
        Ok(tally)
    }
}

/// Lets the server reach its working size, so that only connections make it grow.
async fn warm_up(trial: &Trial<'_>) {
    let bound = Bound {
        time: Duration::from_millis(500),
        count: u64::MAX,
    };
    let warm = Trial { bound, ..*trial };
    warm.drive(async |lane| ping(&mut lane.registry).await.map(|_| 0))
        .await;
    tokio::time::sleep(QUIET / 2).await;
}

async fn ping(registry: &mut Registry) -> Result<Duration> {
    let begun = Instant::now();
    registry.ping().await?;
    Ok(begun.elapsed())
}

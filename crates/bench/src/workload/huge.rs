//! One layer of many gigabytes, pushed and pulled.

use std::cell::RefCell;

use anyhow::{Result, ensure};
use async_trait::async_trait;

use super::stock::Stock;
use super::{Target, Trial, Workload};
use crate::client::Sink;
use crate::measure::{Tally, cpu_seconds, float};
use crate::payload::Mold;
use crate::registry::Style;

/// What is sent again and again.
const BASE: usize = 64 << 20;

/// A push of one huge layer, and its pull.
#[derive(Debug)]
pub(super) struct Huge {
    pub(super) gib: usize,
    pub(super) seed: u64,
}

#[async_trait(?Send)]
impl Workload for Huge {
    async fn stock(&self, target: &Target, _rounds: usize) -> Result<Stock> {
        Stock::repositories(target, &format!("huge-s{}", self.seed), 1)
    }

    async fn round(&self, trial: &Trial<'_>, stock: &Stock) -> Result<Tally> {
        if trial.round == 0 {
            // Once is enough.
            return Ok(Tally::default());
        }
        let repository = &stock.repositories[0];
        let mold = Mold::repeated(BASE, self.gib * 16, self.seed);
        let used = || trial.target.pid().map(cpu_seconds);
        let figures = RefCell::new(Vec::new());
        let note = |name, before: Option<f64>, size: u64| {
            if let Some((before, after)) = before.zip(used()) {
                let per_gib = (after - before) * float(1 << 30) / float(size);
                figures.borrow_mut().push((name, per_gib * 1000.0));
            }
        };
        let tally = trial.drive(async |lane| {
            let layer = mold.cast(lane.number);
            let size = layer.size() as u64;
            let before = used();
            lane.registry
                .push_blob(repository, &layer, Style::Put)
                .await?;
            note("push_cpu_ms_per_gib", before, size);
            let before = used();
            let path = format!("/v2/{repository}/blobs/{}", layer.digest());
            let pulled = lane.registry.get(repository, &path, Sink::Discard).await?;
            let length = pulled.expect(200, &path)?.length;
            ensure!(length == size, "{path} came with {length} bytes");
            note("pull_cpu_ms_per_gib", before, size);
            Ok(2 * size)
        });
        let mut tally = tally.await;
        tally.figures = figures.into_inner();
        Ok(tally)
    }
}

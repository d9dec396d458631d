//! One layer of many gigabytes, pushed and pulled.

use anyhow::{Result, ensure};
use async_trait::async_trait;

use super::stock::Stock;
use super::{Target, Trial, Workload};
use crate::client::Sink;
use crate::measure::Tally;
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
        let tally = trial.drive(async |lane| {
            let layer = mold.cast(lane.number);
            let size = layer.size() as u64;
            lane.registry
                .push_blob(repository, &layer, Style::Put)
                .await?;
            let path = format!("/v2/{repository}/blobs/{}", layer.digest());
            let pulled = lane.registry.get(repository, &path, Sink::Discard).await?;
            let length = pulled.expect(200, &path)?.length;
            ensure!(length == size, "{path} came with {length} bytes");
            Ok(2 * size)
        });
        Ok(tally.await)
    }
}

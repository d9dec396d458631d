//! Large new layers.

use anyhow::Result;
use async_trait::async_trait;

use super::stock::Stock;
use super::{Target, Trial, Workload};
use crate::measure::Tally;
use crate::payload::Mold;
use crate::registry::Style;

const SIZE: usize = 64 << 20;

/// Pushes of 64 MiB layers to one repository.
#[derive(Debug)]
pub(super) struct BigPush {
    style: Style,
    seed: u64,
}

impl BigPush {
    pub(super) fn new(style: Style, seed: u64) -> Self {
        Self { style, seed }
    }
}

#[async_trait(?Send)]
impl Workload for BigPush {
    async fn stock(&self, target: &Target, _rounds: usize) -> Result<Stock> {
        Stock::repositories(target, &format!("big-s{}", self.seed), 1)
    }

    async fn round(&self, trial: &Trial<'_>, stock: &Stock) -> Result<Tally> {
        let repository = &stock.repositories[0];
        // Made anew for each round, so the tool holds 64 MiB only while it needs them.
        let mold = Mold::new(SIZE, self.seed);
        let tally = trial.drive(async |lane| {
            let layer = mold.cast(lane.number);
            if !lane.registry.has_blob(repository, layer.digest()).await? {
                lane.registry
                    .push_blob(repository, &layer, self.style)
                    .await?;
            }
            Ok(layer.size() as u64)
        });
        Ok(tally.await)
    }
}

//! Small images, each new, to many repositories or to one.

use anyhow::Result;
use async_trait::async_trait;

use super::stock::{SmallImage, Stock};
use super::{Target, Trial, Workload};
use crate::measure::Tally;
use crate::registry::Style;

/// Pushes of small images.
#[derive(Debug)]
pub(super) struct SmallPush {
    pub(super) repositories: usize,
    pub(super) style: Style,
    pub(super) seed: u64,
}

#[async_trait(?Send)]
impl Workload for SmallPush {
    async fn stock(&self, target: &Target, rounds: usize) -> Result<Stock> {
        // A lone repository is a new one each round, so that no round pays for the tags of those before it.
        let count = if self.repositories == 1 {
            rounds + 1
        } else {
            self.repositories
        };
        Stock::repositories(
            target,
            &format!("small{}-s{}", self.repositories, self.seed),
            count,
        )
    }

    async fn round(&self, trial: &Trial<'_>, stock: &Stock) -> Result<Tally> {
        let only = &stock.repositories[trial.round % stock.repositories.len()];
        let tally = trial.drive(async |lane| {
            let repository = if self.repositories == 1 {
                only
            } else {
                lane.pick(&stock.repositories)?
            };
            let image = SmallImage::new(self.seed, lane.number);
            let tag = format!("t{:07}", lane.number);
            image
                .push(&mut lane.registry, repository, &tag, self.style)
                .await?;
            Ok(image.size() as u64)
        });
        Ok(tally.await)
    }
}

//! New tags on a manifest that is already there.

use anyhow::Result;
use async_trait::async_trait;

use super::stock::{SmallImage, Stock};
use super::{Target, Trial, Workload};
use crate::measure::Tally;
use crate::registry::Style;

/// PUTs of an existing manifest under a new tag.
#[derive(Debug)]
pub(super) struct TagPut {
    pub(super) seed: u64,
}

#[async_trait(?Send)]
impl Workload for TagPut {
    async fn stock(&self, target: &Target, rounds: usize) -> Result<Stock> {
        let mut stock = Stock::repositories(target, &format!("tag-s{}", self.seed), rounds + 1)?;
        let image = SmallImage::new(self.seed, target.fresh_number());
        for repository in &stock.repositories {
            image
                .push(&mut target.client(), repository, "first", Style::Put)
                .await?;
        }
        stock.manifest = image.into_manifest();
        Ok(stock)
    }

    async fn round(&self, trial: &Trial<'_>, stock: &Stock) -> Result<Tally> {
        let repository = &stock.repositories[trial.round % stock.repositories.len()];
        let tally = trial.drive(async |lane| {
            let tag = format!("t{:07}", lane.number);
            lane.registry
                .put_manifest(repository, &tag, &stock.manifest)
                .await?;
            Ok(stock.manifest.len() as u64)
        });
        Ok(tally.await)
    }
}

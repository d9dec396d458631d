//! Pages of a repository's tags.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use async_trait::async_trait;
use serde::Deserialize;

use super::stock::{SmallImage, Stock};
use super::{Target, Trial, Workload};
use crate::client::Sink;
use crate::config::Kind;
use crate::drive::Bound;
use crate::measure::Tally;
use crate::registry::Style;

const PAGE: u64 = 100;
const PRELOAD_LANES: usize = 64;

/// Pages of 100 tags at random places among `count`.
#[derive(Debug)]
pub(super) struct TagsList {
    pub(super) count: u64,
    pub(super) seed: u64,
}

#[derive(Debug, Deserialize)]
struct Page {
    tags: Vec<String>,
}

#[async_trait(?Send)]
impl Workload for TagsList {
    fn suits(&self, target: &Target) -> bool {
        target.config.kind == Kind::Registry
            && target.config.max_tags.is_none_or(|most| self.count <= most)
    }

    async fn stock(&self, target: &Target, _rounds: usize) -> Result<Stock> {
        let stock = Stock::repositories(target, &format!("tags{}-s{}", self.count, self.seed), 1)?;
        let repository = &stock.repositories[0];
        if !target.preload_tags(repository, self.count)? {
            self.put_tags(target, repository).await?;
        }
        self.verify(target, repository).await?;
        Ok(stock)
    }

    async fn round(&self, trial: &Trial<'_>, stock: &Stock) -> Result<Tally> {
        let repository = &stock.repositories[0];
        let tally = trial.drive(async |lane| {
            let path = page(
                repository,
                lane.random % self.count.saturating_sub(PAGE).max(1),
            );
            Ok(lane
                .registry
                .get(repository, &path, Sink::Discard)
                .await?
                .expect(200, &path)?
                .length)
        });
        Ok(tally.await)
    }
}

impl TagsList {
    async fn put_tags(&self, target: &Target, repository: &str) -> Result<()> {
        let image = SmallImage::new(self.seed, target.fresh_number());
        image
            .push(&mut target.client(), repository, &tag(0), Style::Put)
            .await?;
        let manifest = image.into_manifest();
        let first = target.fresh_number();
        let bound = Bound {
            time: Duration::from_hours(1),
            count: self.count - 1,
        };
        let trial = Trial {
            target,
            round: 0,
            concurrency: PRELOAD_LANES,
            bound,
        };
        let put = trial.drive(async |lane| {
            lane.registry
                .put_manifest(repository, &tag(lane.number - first), &manifest)
                .await?;
            Ok(0)
        });
        let tally = put.await;
        if let Some(error) = tally.first_error {
            bail!("cannot preload tags: {error}");
        }
        ensure!(
            tally.operations == self.count - 1,
            "preloading tags took too long"
        );
        Ok(())
    }

    /// Fails unless a page in the middle holds the tags that follow its marker.
    async fn verify(&self, target: &Target, repository: &str) -> Result<()> {
        let after = self.count.saturating_sub(PAGE + 1) / 2;
        let path = page(repository, after);
        let response = target
            .client()
            .get(repository, &path, Sink::Keep)
            .await?
            .expect(200, &path)?;
        let found: Page = serde_json::from_slice(&response.body)?;
        let wanted: Vec<String> = (after + 1..self.count).take(100).map(tag).collect();
        ensure!(
            found.tags == wanted,
            "{path} lists {} tags, not those after the marker",
            found.tags.len()
        );
        Ok(())
    }
}

fn tag(index: u64) -> String {
    format!("t{index:07}")
}

fn page(repository: &str, after: u64) -> String {
    format!("/v2/{repository}/tags/list?n={PAGE}&last={}", tag(after))
}

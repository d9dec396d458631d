//! Small reads: a manifest by tag, the existence of a blob.

use anyhow::Result;
use async_trait::async_trait;

use super::stock::{SmallImage, Stock};
use super::{Target, Trial, Workload};
use crate::client::Sink;
use crate::measure::Tally;
use crate::registry::Style;

const REPOSITORIES: usize = 16;
const IMAGES: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Manifest,
    Blob,
}

/// Reads of random manifests or blobs among 256 in 16 repositories.
#[derive(Debug)]
pub(super) struct Read {
    what: What,
    seed: u64,
}

impl Read {
    /// GETs of manifests by tag.
    pub(super) fn manifests(seed: u64) -> Self {
        Self {
            what: What::Manifest,
            seed,
        }
    }

    /// HEADs of blobs.
    pub(super) fn blobs(seed: u64) -> Self {
        Self {
            what: What::Blob,
            seed,
        }
    }
}

#[async_trait(?Send)]
impl Workload for Read {
    async fn stock(&self, target: &Target, _rounds: usize) -> Result<Stock> {
        let mut stock = Stock::repositories(target, &format!("read-s{}", self.seed), REPOSITORIES)?;
        let mut registry = target.client();
        for index in 0..REPOSITORIES * IMAGES {
            let repository = stock.repositories[index % REPOSITORIES].clone();
            let image = SmallImage::new(self.seed, target.fresh_number());
            let tag = format!("t{index:07}");
            image
                .push(&mut registry, &repository, &tag, Style::Put)
                .await?;
            let path = match self.what {
                What::Manifest => format!("/v2/{repository}/manifests/{tag}"),
                What::Blob => format!("/v2/{repository}/blobs/{}", image.layer_digest()),
            };
            stock.paths.push((repository, path));
        }
        Ok(stock)
    }

    async fn round(&self, trial: &Trial<'_>, stock: &Stock) -> Result<Tally> {
        let tally = trial.drive(async |lane| {
            let (repository, path) = lane.pick(&stock.paths)?;
            let response = match self.what {
                What::Manifest => lane.registry.get(repository, path, Sink::Discard).await?,
                What::Blob => lane.registry.head(repository, path).await?,
            };
            Ok(response.expect(200, path)?.length)
        });
        Ok(tally.await)
    }
}

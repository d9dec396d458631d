//! Pulls of blobs, also of plain files from a static server.

use std::fs::File;
use std::io::Write as _;

use anyhow::{Result, ensure};
use async_trait::async_trait;

use super::stock::{Stock, verify};
use super::{Target, Trial, Workload};
use crate::client::Sink;
use crate::config::Kind;
use crate::measure::Tally;
use crate::payload::{Mold, Payload};
use crate::registry::Style;

/// GETs of random blobs of one size.
#[derive(Debug)]
pub(super) struct Pull {
    pub(super) size: usize,
    pub(super) blobs: u64,
    pub(super) seed: u64,
}

#[async_trait(?Send)]
impl Workload for Pull {
    fn suits(&self, _target: &Target) -> bool {
        true
    }

    async fn stock(&self, target: &Target, _rounds: usize) -> Result<Stock> {
        let mut stock = Stock::default();
        if target.config.kind == Kind::Registry {
            stock = Stock::repositories(
                target,
                &format!("pull{}-s{}", self.size >> 20, self.seed),
                1,
            )?;
        }
        let mold = Mold::new(self.size, self.seed);
        for number in 0..self.blobs {
            let blob = mold.cast(number);
            let place = match stock.repositories.first() {
                Some(repository) => push(target, repository, &blob).await?,
                None => write(target, &blob)?,
            };
            stock.paths.push(place);
        }
        let (repository, path) = &stock.paths[0];
        let response = target
            .client()
            .get(repository, path, Sink::Keep)
            .await?
            .expect(200, path)?;
        verify(&response.body, path)?;
        Ok(stock)
    }

    async fn round(&self, trial: &Trial<'_>, stock: &Stock) -> Result<Tally> {
        let tally = trial.drive(async |lane| {
            let (repository, path) = lane.pick(&stock.paths)?;
            let response = lane
                .registry
                .get(repository, path, Sink::Discard)
                .await?
                .expect(200, path)?;
            ensure!(
                response.length == self.size as u64,
                "{path} came with {} bytes",
                response.length
            );
            Ok(response.length)
        });
        Ok(tally.await)
    }
}

async fn push(target: &Target, repository: &str, blob: &Payload) -> Result<(String, String)> {
    let mut registry = target.client();
    if !registry.has_blob(repository, blob.digest()).await? {
        registry.push_blob(repository, blob, Style::Put).await?;
    }
    Ok((
        repository.to_owned(),
        format!("/v2/{repository}/blobs/{}", blob.digest()),
    ))
}

fn write(target: &Target, blob: &Payload) -> Result<(String, String)> {
    let mut file = File::create(target.data.join(blob.digest()))?;
    for part in blob.parts() {
        file.write_all(part)?;
    }
    Ok((String::new(), format!("/{}", blob.digest())))
}

//! Images that are archived and restored: their bytes move to another store and back.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use super::Worker;
use crate::soak::ledger::{Image, Place};

impl Worker<'_> {
    /// Archives one of its own images; hours later restores it, or pushes it again.
    pub(super) async fn archive_one(&mut self) -> Result<()> {
        let Some((place, image)) = self.own() else {
            return Ok(());
        };
        self.soak.ledger.forget(&place);
        self.store(&place, &image, "ARCHIVE").await?;
        let hours = u32::try_from(self.roll(40))?;
        self.pause(hours).await;
        if self.roll(3) == 0 {
            for blob in &image.blobs {
                self.ensure(&place.repository, blob).await?;
            }
            let Image {
                manifest,
                media_type,
                ..
            } = &image;
            let Place { repository, tag } = &place;
            let put = self.client.put(repository, tag, manifest, media_type);
            let put = put.await?;
            ensure!(put == 201, "an archived image that is pushed again: {put}");
        } else {
            self.store(&place, &image, "STANDARD").await?;
        }
        let started = Instant::now();
        while let Some(problem) = self.client.verify(&place, &image).await? {
            if started.elapsed() > self.soak.patience() {
                let what = format!("archived, and does not come back: {problem}");
                self.soak.ledger.lose(what);
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.soak.ledger.keep(place, image);
        self.soak.ledger.count("archived and restored");
        Ok(())
    }

    async fn store(&mut self, place: &Place, image: &Image, class: &str) -> Result<()> {
        let input = json!({
            "repositoryName": &*place.repository,
            "imageId": { "imageDigest": image.manifest.digest },
            "targetStorageClass": class,
        });
        match self.client.api("UpdateImageStorageClass", &input).await {
            Ok(_) => Ok(()),
            // An answer that was lost was yes.
            Err(error) => match error.to_string() {
                text if text.contains("already in the") => Ok(()),
                text if text.contains("being restored") => Ok(()),
                _ => Err(error),
            },
        }
    }
}

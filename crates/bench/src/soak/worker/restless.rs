//! A repository that comes and goes, and pulls of what is deleted meanwhile.

use std::rc::Rc;

use anyhow::Result;
use serde_json::json;

use super::Worker;
use crate::payload::random;
use crate::registry::MANIFEST;
use crate::soak::client::Client;
use crate::soak::layers::{Layer, manifest};
use crate::soak::ledger::Image;
use crate::soak::{REPOSITORIES, RESTLESS};

impl Worker<'_> {
    pub(super) async fn restless(&mut self) -> Result<()> {
        match self.roll(3) {
            0 => self.pull_slowly().await,
            _ => self.churn().await,
        }
    }

    async fn churn(&mut self) -> Result<()> {
        self.client.create(RESTLESS).await?;
        for _ in 0..4 {
            self.roll(2);
            let layer = self.layer();
            self.client.upload(RESTLESS, &layer, 2).await?;
            let image = manifest(&[layer]);
            let image = Layer::new(image);
            self.client
                .put(RESTLESS, "latest", &image, MANIFEST)
                .await?;
        }
        let input = json!({ "repositoryName": RESTLESS, "force": true });
        match self.client.api("DeleteRepository", &input).await {
            Err(error) if !error.to_string().contains("RepositoryNotFound") => return Err(error),
            _ => {}
        }
        self.soak.ledger.count("repository deleted");
        Ok(())
    }

    /// A pull that has begun ends well, although what it pulls is deleted and collected meanwhile.
    async fn pull_slowly(&mut self) -> Result<()> {
        let to = REPOSITORIES[0];
        self.made += 1;
        let bytes = random(8_000_000, self.made ^ self.soak.options.seed);
        let layer = Rc::new(Layer::new(bytes));
        self.client.upload(to, &layer, 3).await?;
        let image = Image {
            media_type: MANIFEST,
            manifest: Rc::new(Layer::new(manifest(std::slice::from_ref(&layer)))),
            blobs: vec![Rc::clone(&layer)],
            children: Vec::new(),
        };
        let status = self
            .client
            .put(to, &image.manifest.digest, &image.manifest, MANIFEST)
            .await?;
        anyhow::ensure!(status == 201, "an image answered {status}");
        let (soak, mut puller) = (self.soak, Client::new(self.soak));
        let meanwhile = async || {
            self.remove(to, &image).await?;
            // The link goes after 24 hours, the file after 24 more.
            tokio::time::sleep(soak.clock.real(36)).await;
            Ok(())
        };
        // The server may have died already.
        let whole = puller.pull_slowly(to, &layer, meanwhile).await;
        match whole {
            Ok(Some(true)) => soak.ledger.count("pulled slowly"),
            Ok(Some(false)) => soak
                .ledger
                .lose(format!("a pull of {} was cut", layer.digest)),
            Ok(None) | Err(_) => {}
        }
        Ok(())
    }
}

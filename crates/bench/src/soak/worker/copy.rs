//! Copies of repositories that others push to all the while, and new names for them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::Worker;
use crate::soak::client::PATIENCE;
use crate::soak::ledger::{Image, Place};
use crate::soak::{EXPIRING, REPOSITORIES};

/// How many images of a copy are looked at.
const SAMPLE: usize = 12;

impl Worker<'_> {
    /// Copies a repository, renames the copy, and finds in it what was in the source all the while, however much of that is
    /// deleted there by now.
    pub(super) async fn copy(&mut self) -> Result<()> {
        let sources = [REPOSITORIES[0], REPOSITORIES[1], REPOSITORIES[2], EXPIRING];
        let from = sources[usize::try_from(self.roll(4))?];
        let to = self.name("soak/copy-");
        let before = self.soak.ledger.kept_in(from);
        if !self.copied(from, &to).await? {
            return Ok(());
        }
        let mut held = before;
        held.retain(|(place, image)| self.soak.ledger.holds(place, image));
        self.soak.ledger.count("copied");
        let hours = u32::try_from(self.roll(60))?;
        self.pause(hours).await;
        let name = self.name("soak/renamed-");
        let input = json!({ "repositoryName": to, "newRepositoryName": name });
        match self.client.extension("RenameRepository", &input).await {
            // An answer that was lost was yes.
            Err(error) if !error.to_string().contains("RepositoryNotFound") => return Err(error),
            _ => self.soak.ledger.count("renamed"),
        }
        self.find(&name, held).await?;
        let input = json!({ "repositoryName": name, "force": true });
        match self.client.api("DeleteRepository", &input).await {
            Err(error) if !error.to_string().contains("RepositoryNotFound") => Err(error),
            _ => Ok(()),
        }
    }

    /// Copies; `false` when all is over before it is done.
    async fn copied(&mut self, from: &str, to: &str) -> Result<bool> {
        let input = json!({ "repositoryName": from, "targetRepositoryName": to });
        match self.client.extension("CopyRepository", &input).await {
            Ok(_) => {}
            Err(error) => {
                // An answer that was lost was yes.
                let text = error.to_string();
                if !text.contains("under way") && !text.contains("RepositoryAlreadyExists") {
                    return Err(error);
                }
            }
        }
        let started = Instant::now();
        let target = format!("/{to}");
        while started.elapsed() < PATIENCE * 2 {
            let input = json!({ "repositoryName": from });
            let answer = self.client.extension("DescribeRepositoryCopies", &input);
            let answer = answer.await?;
            let copies = answer["repositoryCopies"].as_array();
            let copy = copies.context("no copies")?.iter().find(|copy| {
                let arn = copy["targetRepositoryArn"].as_str().unwrap_or_default();
                arn.ends_with(&target)
            });
            match copy.map(|copy| copy["status"].as_str().unwrap_or_default()) {
                Some("COMPLETE") => return Ok(true),
                Some("IN_PROGRESS") if !self.soak.over.get() => {}
                Some("IN_PROGRESS") => return Ok(false),
                _ => bail!("a copy of {from} came to nothing: {copy:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("a copy of {from} does not end")
    }

    /// Finds some of `held` in a copy.
    async fn find(&mut self, name: &str, mut held: Vec<(Place, Image)>) -> Result<()> {
        while held.len() > SAMPLE {
            let index = usize::try_from(self.roll(held.len() as u64))?;
            held.swap_remove(index);
        }
        for (place, image) in held {
            let here = Place::new(name, place.tag);
            if let Some(problem) = self.client.verify(&here, &image).await? {
                let what = format!("of a copy of {}: {problem}", place.repository);
                self.soak.ledger.lose(what);
            }
            self.soak.ledger.count("found in a copy");
        }
        Ok(())
    }
}

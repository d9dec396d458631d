//! Copies of repositories that others push to all the while, new names for them, and copies to another Region that move back.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::Worker;
use crate::aws::REGION;
use crate::soak::ledger::{Image, Place};
use crate::soak::{EXPIRING, REPOSITORIES};

/// How many images of a copy are looked at.
const SAMPLE: usize = 12;
/// Another registry of the account: no layer is shared with it, so all bytes are written anew.
const ELSEWHERE: &str = "us-west-2";

/// A repository in a Region.
struct At<'a> {
    region: &'a str,
    name: &'a str,
}

impl Worker<'_> {
    /// Copies a repository, gives the copy another name or moves it back from another Region, and finds in it what was in the
    /// source all the while, however much of that is deleted there by now.
    pub(super) async fn copy(&mut self) -> Result<()> {
        let sources = [REPOSITORIES[0], REPOSITORIES[1], REPOSITORIES[2], EXPIRING];
        let from = sources[usize::try_from(self.roll(4))?];
        let to = self.name("soak/copy-");
        let before = self.soak.ledger.kept_in(from);
        let region = [REGION, ELSEWHERE][usize::try_from(self.roll(2))?];
        let here = At {
            region: REGION,
            name: from,
        };
        let there = At { region, name: &to };
        if !self.copied("CopyRepository", &here, &there).await? {
            return Ok(());
        }
        let mut held = before;
        held.retain(|(place, image)| self.soak.ledger.holds(place, image));
        self.soak.ledger.count("copied");
        let hours = u32::try_from(self.roll(60))?;
        self.pause(hours).await;
        let name = self.name("soak/renamed-");
        if region == REGION {
            self.rename(&to, &name).await?;
        } else {
            let back = At {
                region: REGION,
                name: &name,
            };
            if !self.copied("MoveRepository", &there, &back).await? {
                return Ok(());
            }
            self.soak.ledger.count("moved");
        }
        self.find(&name, held).await?;
        let input = json!({ "repositoryName": name, "force": true });
        match self.client.api("DeleteRepository", &input).await {
            Err(error) if !error.to_string().contains("RepositoryNotFound") => Err(error),
            _ => Ok(()),
        }
    }

    async fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        let input = json!({ "repositoryName": from, "newRepositoryName": to });
        match self.client.extension("RenameRepository", &input).await {
            // An answer that was lost was yes.
            Err(error) if !error.to_string().contains("RepositoryNotFound") => return Err(error),
            _ => self.soak.ledger.count("renamed"),
        }
        Ok(())
    }

    /// Copies or moves; `false` when all is over before it is done.
    async fn copied(&mut self, operation: &str, from: &At<'_>, to: &At<'_>) -> Result<bool> {
        let (client, region, name) = (&mut self.client, from.region, from.name);
        let mut input = json!({ "repositoryName": name, "targetRepositoryName": to.name });
        if to.region != region {
            input["targetRegion"] = json!(to.region);
        }
        if let Err(error) = client.extension_in(region, operation, &input).await {
            // An answer that was lost was yes; what was moved is there no more.
            let text = error.to_string();
            let is_done = ["under way", "RepositoryAlreadyExists", "RepositoryNotFound"]
                .iter()
                .any(|told| text.contains(told));
            if !is_done {
                return Err(error);
            }
        }
        let started = Instant::now();
        let target = format!("/{}", to.name);
        while started.elapsed() < self.soak.patience() * 2 {
            let input = json!({ "repositoryName": name });
            let answer = client.extension_in(region, "DescribeRepositoryCopies", &input);
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
                _ => bail!("{operation} of {name} came to nothing: {copy:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("{operation} of {name} does not end")
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

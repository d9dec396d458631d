//! What a lifecycle policy would take: images that are leased, and images that come back after they were expired.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use super::{EXPIRES_HOURS, Worker};
use crate::soak::UNDO;
use crate::soak::ledger::{Image, Place};

/// How long an image is leased: four days.
const LEASED_HOURS: i64 = 96;
/// How long what is expired can be brought back at least.
const UNDO_HOURS: i64 = 24 * 7;

impl Worker<'_> {
    /// Pushes two images that the policy takes after a day; leases one, and brings the other back when it is gone.
    pub(super) async fn keep(&mut self) -> Result<()> {
        let since = self.soak.clock.now();
        let Some(leased) = self.push_old().await? else {
            return Ok(());
        };
        let leased_since = self.soak.clock.now();
        self.lease(&leased.1).await?;
        if !self.soak.clock.is_within(since, EXPIRES_HOURS) {
            // Too slow: it may be gone already.
            return Ok(());
        }
        let since = self.soak.clock.now();
        if let Some((place, image)) = self.push_old().await? {
            self.bring_back(&place, &image, since).await?;
        }
        let (place, image) = &leased;
        let problem = self.client.verify(place, image).await?;
        if let Some(problem) = problem
            && self.soak.clock.is_within(leased_since, LEASED_HOURS - 1)
        {
            let what = format!("expired in spite of its lease: {problem}");
            self.soak.ledger.lose(what);
        }
        self.soak.ledger.count("leased");
        self.remove(UNDO, image).await
    }

    async fn push_old(&mut self) -> Result<Option<(Place, Image)>> {
        let tag = self.name("old-");
        let pushed = self.push(UNDO, &tag, true).await?;
        Ok(pushed.map(|image| (Place::new(UNDO, tag), image)))
    }

    async fn lease(&mut self, image: &Image) -> Result<()> {
        let input = json!({
            "repositoryName": UNDO,
            "imageIds": [{ "imageDigest": image.manifest.digest }],
            "durationSeconds": LEASED_HOURS * 3_600,
        });
        self.client.extension("LeaseImages", &input).await.map(drop)
    }

    /// Waits until an image is expired, and longer, and restores it.
    async fn bring_back(&mut self, place: &Place, image: &Image, since: i64) -> Result<()> {
        let started = Instant::now();
        while self.client.verify(place, image).await?.is_none() {
            // How soon a policy runs is nobody's promise.
            if self.soak.over.get() || started.elapsed() > self.soak.patience() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.soak.ledger.count("expired");
        if self.soak.clock.is_within(since, EXPIRES_HOURS) {
            let what = format!("{}:{} expired early", place.repository, place.tag);
            self.soak.ledger.lose(what);
        }
        let hours = u32::try_from(self.roll(60))?;
        self.pause(hours).await;
        let asked = self.soak.clock.now();
        let ids = json!([{ "imageDigest": image.manifest.digest }]);
        let input = json!({ "repositoryName": UNDO, "imageIds": ids });
        self.client
            .extension("RestoreExpiredImages", &input)
            .await?;
        let problem = self.client.verify(place, image).await?;
        let clock = self.soak.clock;
        if let Some(problem) = problem
            && clock.is_within(since, UNDO_HOURS)
            && clock.is_within(asked, EXPIRES_HOURS)
        {
            let what = format!("expired, and does not come back: {problem}");
            self.soak.ledger.lose(what);
        }
        self.soak.ledger.count("brought back");
        self.remove(UNDO, image).await
    }
}

//! What the clients of a soak do, each with images of its own.

mod archive;
mod copy;
mod keep;
mod restless;

use std::rc::Rc;

use anyhow::Result;
use serde_json::json;

use super::client::Client;
use super::layers::{Layer, describe, manifest};
use super::ledger::{Image, Place};
use super::{EXPIRING, REPOSITORIES, RESTLESS, Soak};
use crate::payload::mix;
use crate::registry::MANIFEST;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// With so many images, some are deleted for each that is pushed.
const MOST_KEPT: usize = 2_000;
/// How long a positive answer holds: twelve hours, of which a server that starts may take a part, as it goes by a time that
/// was kept ahead of it.
const PROMISED_HOURS: i64 = 11;
/// Age at which the policies let go of an image: a day, of which it may take a part likewise.
const EXPIRES_HOURS: i64 = 23;

/// What a client does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    /// Pushes, moves, archives, deletes and pulls.
    Pusher,
    /// Makes and deletes a repository, and pulls slowly what is deleted meanwhile.
    Restless,
    /// Copies repositories and renames the copies.
    Copier,
    /// Leases images, and brings expired ones back.
    Keeper,
}

/// A client with its own images.
struct Worker<'a> {
    soak: &'a Soak,
    client: Client<'a>,
    number: u64,
    made: u64,
    random: u64,
}

/// Goes on until it is over.
pub(super) async fn work(soak: Rc<Soak>, number: u64, role: Role) {
    let mut worker = Worker {
        client: Client::new(&soak),
        soak: &soak,
        number,
        made: 0,
        random: mix(soak.options.seed.wrapping_mul(1_000) + number),
    };
    while !soak.over.get() {
        let done = match role {
            Role::Pusher => worker.push_and_pull().await,
            Role::Restless => worker.restless().await,
            Role::Copier => worker.copy().await,
            Role::Keeper => worker.keep().await,
        };
        if let Err(error) = done {
            let what = format!("a client ({role:?}) could not go on: {error:#}");
            soak.ledger.lose(what);
        }
    }
}

impl Worker<'_> {
    fn roll(&mut self, sides: u64) -> u64 {
        self.random = mix(self.random.wrapping_add(1));
        (self.random >> 11) % sides
    }

    fn name(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}{}-{}", self.number, self.made)
    }

    fn layer(&mut self) -> Rc<Layer> {
        self.soak.layers.pick(self.random >> 7)
    }

    /// Waits so many hours of the servers.
    async fn pause(&mut self, hours: u32) {
        tokio::time::sleep(self.soak.clock.real(hours)).await;
    }

    async fn push_and_pull(&mut self) -> Result<()> {
        match self.roll(17) {
            0 => self.push_index().await?,
            1 => self.push_expiring().await?,
            2 => self.move_tag().await?,
            16 => self.archive_one().await?,
            3..=6 => self.delete_one().await?,
            7..=8 => self.pull_one().await?,
            _ if self.soak.ledger.len() < MOST_KEPT => self.push_image().await?,
            _ => self.delete_one().await?,
        }
        Ok(())
    }

    /// Makes sure, as clients do, that a layer is there: asks, mounts or uploads.
    async fn ensure(&mut self, to: &str, layer: &Layer) -> Result<()> {
        if self.client.has(to, layer).await? {
            self.soak.ledger.count("found");
            return Ok(());
        }
        let sources = [REPOSITORIES[0], REPOSITORIES[1], RESTLESS];
        let from = sources[usize::try_from(self.roll(3))?];
        if self.roll(3) == 0 && self.client.mount(from, to, layer).await? {
            self.soak.ledger.count("mounted");
            return Ok(());
        }
        let chunks = usize::try_from(1 + self.roll(3))?;
        self.client.upload(to, layer, chunks).await?;
        self.soak.ledger.count("uploaded");
        Ok(())
    }

    /// Pushes an image with `tag`; returns it unless its layers were let go for having waited too long.
    async fn push(&mut self, to: &str, tag: &str, tagged: bool) -> Result<Option<Image>> {
        let since = self.soak.clock.now();
        let config = Rc::new(Layer::new(
            format!("{{\"tag\":\"{to}:{tag}\"}}").into_bytes(),
        ));
        let mut blobs = vec![config];
        for _ in 0..=self.roll(3) {
            self.roll(2);
            let layer = self.layer();
            if !blobs.iter().any(|known| known.digest == layer.digest) {
                blobs.push(layer);
            }
        }
        for blob in blobs.clone() {
            self.ensure(to, &blob).await?;
        }
        let pause = self.soak.clock.real(u32::try_from(self.roll(8))?);
        tokio::time::sleep(pause).await;
        let manifest = Rc::new(Layer::new(manifest(&blobs)));
        let over_http = self.roll(2) == 0;
        let put = if over_http {
            let reference = if tagged {
                tag
            } else {
                manifest.digest.as_str()
            };
            self.client.put(to, reference, &manifest, MANIFEST).await? == 201
        } else {
            self.put_by_api(to, tagged.then_some(tag), &manifest)
                .await?
        };
        let image = Image {
            media_type: MANIFEST,
            manifest,
            blobs,
            children: Vec::new(),
        };
        if self.soak.clock.is_within(since, PROMISED_HOURS) {
            if put {
                self.soak.ledger.count("pushed");
                return Ok(Some(image));
            }
            let what = format!("{to}:{tag}: a layer that was said to be present is not");
            self.soak.ledger.lose(what);
        }
        // Late: the layers may be gone, and over HTTP a manifest without them is taken.
        self.client.delete(to, &image.manifest.digest).await?;
        self.soak.ledger.count("late");
        Ok(None)
    }

    async fn put_by_api(&mut self, to: &str, tag: Option<&str>, manifest: &Layer) -> Result<bool> {
        let text = std::str::from_utf8(&manifest.bytes)?;
        let mut input = json!({
            "repositoryName": to,
            "imageManifest": text,
            "imageManifestMediaType": MANIFEST,
        });
        if let Some(tag) = tag {
            input["imageTag"] = json!(tag);
        }
        match self.client.api("PutImage", &input).await {
            Ok(_) => Ok(true),
            Err(error) => {
                let text = error.to_string();
                if text.contains("ImageAlreadyExists") {
                    return Ok(true);
                }
                if text.contains("LayersNotFound") {
                    return Ok(false);
                }
                Err(error)
            }
        }
    }

    async fn push_image(&mut self) -> Result<()> {
        let to = REPOSITORIES[usize::try_from(self.roll(3))?];
        let tag = self.name("w");
        if let Some(image) = self.push(to, &tag, true).await? {
            self.soak.ledger.keep(Place::new(to, tag), image);
        }
        Ok(())
    }

    async fn push_index(&mut self) -> Result<()> {
        let repository = REPOSITORIES[usize::try_from(self.roll(3))?];
        let tag = self.name("w");
        let mut children = Vec::new();
        for child in 0..2 {
            let name = format!("{tag}-{child}");
            if let Some(image) = self.push(repository, &name, false).await? {
                children.push(image);
            }
        }
        let manifests: Vec<_> = children
            .iter()
            .map(|child| describe(MANIFEST, &child.manifest))
            .collect();
        let annotations = json!({ "tag": tag });
        let text = json!({
            "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests, "annotations": annotations,
        });
        let manifest = Rc::new(Layer::new(text.to_string().into_bytes()));
        let status = self.client.put(repository, &tag, &manifest, INDEX).await?;
        anyhow::ensure!(status == 201, "an index answered {status}");
        self.soak.ledger.count("index pushed");
        let image = Image {
            media_type: INDEX,
            manifest,
            blobs: Vec::new(),
            children,
        };
        self.soak.ledger.keep(Place::new(repository, tag), image);
        Ok(())
    }

    /// What is to expire is there for a day; what is not, beside it, for ever.
    async fn push_expiring(&mut self) -> Result<()> {
        let since = self.soak.clock.now();
        let old = self.name("old-");
        let Some(image) = self.push(EXPIRING, &old, true).await? else {
            return Ok(());
        };
        let keep = self.name("w");
        if let Some(kept) = self.push(EXPIRING, &keep, true).await? {
            self.soak.ledger.keep(Place::new(EXPIRING, keep), kept);
        }
        let place = Place::new(EXPIRING, old);
        let problem = self.client.verify(&place, &image).await?;
        if let Some(problem) = problem
            && self.soak.clock.is_within(since, EXPIRES_HOURS)
        {
            self.soak.ledger.lose(format!("expired early: {problem}"));
        }
        self.soak.ledger.count("to expire");
        Ok(())
    }

    /// One of its own images; others might be in the middle of something with theirs.
    fn own(&mut self) -> Option<(Place, Image)> {
        let prefix = format!("w{}-", self.number);
        let random = self.roll(1 << 32);
        self.soak
            .ledger
            .pick(random, |place| place.tag.starts_with(&prefix))
    }

    async fn move_tag(&mut self) -> Result<()> {
        let Some((place, old)) = self.own() else {
            return Ok(());
        };
        self.soak.ledger.forget(&place);
        if let Some(image) = self.push(&place.repository, &place.tag, true).await? {
            let moved = image.manifest.digest != old.manifest.digest;
            self.soak.ledger.keep(place.clone(), image);
            if moved {
                self.remove(&place.repository, &old).await?;
            }
            self.soak.ledger.count("tag moved");
        }
        Ok(())
    }

    async fn delete_one(&mut self) -> Result<()> {
        let Some((place, image)) = self.own() else {
            return Ok(());
        };
        self.soak.ledger.forget(&place);
        self.remove(&place.repository, &image).await?;
        self.soak.ledger.count("deleted");
        Ok(())
    }

    /// Removes an image and then its children.
    async fn remove(&mut self, repository: &str, image: &Image) -> Result<()> {
        for part in [image].into_iter().chain(&image.children) {
            let digest = &part.manifest.digest;
            if self.roll(2) == 0 {
                self.client.delete(repository, digest).await?;
            } else {
                let ids = json!([{ "imageDigest": digest }]);
                let input = json!({ "repositoryName": repository, "imageIds": ids });
                self.client.api("BatchDeleteImage", &input).await?;
            }
        }
        Ok(())
    }

    /// Anybody's image; its owner may delete it meanwhile.
    async fn pull_one(&mut self) -> Result<()> {
        let random = self.roll(1 << 32);
        let Some((place, image)) = self.soak.ledger.pick(random, |_| true) else {
            return Ok(());
        };
        let problem = self.client.verify(&place, &image).await?;
        if let Some(problem) = problem
            && self.soak.ledger.holds(&place, &image)
        {
            self.soak.ledger.lose(problem);
        }
        self.soak.ledger.count("pulled");
        Ok(())
    }
}

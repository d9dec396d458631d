//! The copy itself: which manifests and blobs are brought, in which order, and never twice at a time.
//!
//! A manifest follows all that it is made of, what refers to an image follows the image, and a tag comes last. So whatever
//! a copy that was stopped has left is whole, and running it again goes on: what is there is not sent again.

use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use futures_util::{
    FutureExt, StreamExt, TryStreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use longshore_types::{
    digest::Digest,
    manifest::{Descriptor, Manifest, ManifestError, ManifestKind},
    media_type::MediaType,
    name::{ImageTag, Reference},
};
use tokio::sync::Semaphore;

use self::once::Once;
use super::{
    blob::Blob,
    progress::Progress,
    report::{Report, Tally},
    settings::Settings,
    source::{Entry, Route, Source, What},
    target::{Brought, Image, Target},
};
use crate::oci_client::Fetched;

mod once;

/// How deep indexes may lie in indexes, and referrers refer to referrers.
const MAX_DEPTH: usize = 32;

/// How a copy is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// How many requests and transfers there are at a time.
    pub(crate) jobs: usize,
    /// Whether an index may name manifests that the source has not.
    pub(crate) sparse: bool,
    /// Whether nothing is written, and what is missing at the target is a failure.
    pub(crate) compare: bool,
}

/// A copy from a source to a target.
#[derive(Debug)]
pub(crate) struct Copy {
    source: Arc<dyn Source>,
    target: Arc<dyn Target>,
    options: Options,
    tally: Tally,
    progress: Progress,
    permits: Semaphore,
}

/// A repository being copied.
struct Way<'a> {
    copy: &'a Copy,
    route: &'a Route,
    manifests: Once<Known>,
    blobs: Once<()>,
    walked: Once<()>,
}

/// What is remembered of a manifest that is there.
#[derive(Clone, Debug)]
struct Known {
    children: Arc<[Digest]>,
}

/// The source has not a manifest that something names.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not at the source")]
struct Absent(Reference);

impl Copy {
    pub(crate) fn new(
        source: Arc<dyn Source>,
        target: Arc<dyn Target>,
        options: Options,
        progress: Progress,
    ) -> Self {
        Self {
            source,
            target,
            options,
            tally: Tally::default(),
            progress,
            permits: Semaphore::new(options.jobs),
        }
    }

    /// Copies repositories, one after the other, and tells what came of it.
    pub(crate) async fn run(&self, routes: &[Route]) -> Report {
        for route in routes {
            self.progress.say(route.from.name.clone());
            self.tally.count(|report| report.repositories += 1);
            let way = Way {
                copy: self,
                route,
                manifests: Once::default(),
                blobs: Once::default(),
                walked: Once::default(),
            };
            if let Err(error) = way.go().await {
                self.tally.fail(&route.from.name, "", &error);
            }
        }
        let bytes = self.progress.bytes();
        self.tally.count(|report| report.bytes = bytes);
        self.tally.report()
    }
}

impl Way<'_> {
    async fn go(&self) -> anyhow::Result<()> {
        if !self.copy.options.compare {
            let settings = match &self.route.from.settings {
                Some(settings) => settings.named(self.route.to.clone()),
                None => Settings::of(self.route.to.clone()),
            };
            self.copy.target.prepare(&settings).await?;
        }
        let entries: BoxStream<'_, anyhow::Result<Entry>> = match &self.route.what {
            What::Whole => self.copy.source.images(&self.route.from.name),
            What::Images(images) => stream::iter(images.iter().map(|image| {
                Ok(match image {
                    Reference::Tag(tag) => Entry::Tag(tag.clone(), None),
                    Reference::Digest(digest) => Entry::Untagged(*digest),
                })
            }))
            .boxed(),
        };
        entries
            .try_for_each_concurrent(self.copy.options.jobs, |entry| async {
                self.entry(entry, 0).await;
                Ok(())
            })
            .await
    }

    /// Brings an image of a list; what goes wrong is noted and keeps nothing else from being brought.
    async fn entry(&self, entry: Entry, depth: usize) {
        let (reference, done) = match entry {
            Entry::Lost(image, why) => (image, Err(anyhow::anyhow!(why))),
            Entry::Untagged(digest) => (
                digest.to_string(),
                self.listed(&Reference::Digest(digest), None, depth).await,
            ),
            Entry::Tag(tag, digest) => {
                let reference = match digest {
                    Some(digest) => Reference::Digest(digest),
                    None => Reference::Tag(tag.clone()),
                };
                (
                    tag.to_string(),
                    self.listed(&reference, Some(&tag), depth).await,
                )
            }
        };
        if let Err(error) = done {
            self.copy
                .tally
                .fail(&self.route.from.name, &reference, &error);
        }
    }

    async fn listed(
        &self,
        reference: &Reference,
        tag: Option<&ImageTag>,
        depth: usize,
    ) -> anyhow::Result<()> {
        ensure!(
            depth <= MAX_DEPTH,
            "referrers refer to each other more than {MAX_DEPTH} deep"
        );
        let fetched = self.fetch(reference).await?;
        let (image, _) = read(&fetched, None)?;
        self.tree(image.digest, Some(fetched), depth).await?;
        let Copy {
            target,
            options,
            tally,
            ..
        } = self.copy;
        let to = &self.route.to;
        let Some(tag) = tag else {
            return target.list(to, &image).await;
        };
        let now = target.tagged(to, tag).await?;
        if now == Some(image.digest) {
            target.list(to, &image).await?;
            tally.count(|report| report.present.tags += 1);
        } else if options.compare {
            match now {
                Some(other) => bail!(
                    "the tag stands for {other} at the target, for {} at the source",
                    image.digest
                ),
                None => bail!("the tag is missing at the target"),
            }
        } else {
            target.tag(to, tag, &image).await?;
            tally.count(|report| report.brought.tags += 1);
        }
        Ok(())
    }

    /// Brings a manifest with all that it is made of, then what belongs to it.
    fn tree(
        &self,
        digest: Digest,
        fetched: Option<Fetched>,
        depth: usize,
    ) -> BoxFuture<'_, anyhow::Result<()>> {
        async move {
            let known = self.manifest(digest, fetched, None, depth).await?;
            let is_whole = self.route.what == What::Whole;
            if is_whole && self.copy.source.lists_all() || !self.walked.first(digest) {
                return Ok(());
            }
            for child in known.children.iter() {
                // An absent one was either allowed or has failed before.
                if self.manifests.is_done(*child) {
                    self.tree(*child, None, depth + 1).await?;
                }
            }
            let attached = self
                .copy
                .source
                .attached(&self.route.from.name, &digest, !is_whole);
            for entry in attached
                .await
                .context("what refers to it cannot be listed")?
            {
                self.entry(entry, depth + 1).await;
            }
            Ok(())
        }
        .boxed()
    }

    /// Brings a manifest once, however many ask for it.
    fn manifest(
        &self,
        digest: Digest,
        fetched: Option<Fetched>,
        declared: Option<MediaType>,
        depth: usize,
    ) -> BoxFuture<'_, anyhow::Result<Known>> {
        async move {
            let bring = || self.bring(digest, fetched, declared, depth);
            self.manifests.get(digest, bring).await
        }
        .boxed()
    }

    async fn bring(
        &self,
        digest: Digest,
        fetched: Option<Fetched>,
        declared: Option<MediaType>,
        depth: usize,
    ) -> anyhow::Result<Known> {
        ensure!(
            depth <= MAX_DEPTH,
            "indexes lie in each other more than {MAX_DEPTH} deep"
        );
        let fetched = match fetched {
            Some(fetched) => fetched,
            None => self.fetch(&Reference::Digest(digest)).await?,
        };
        let (image, manifest) = read(&fetched, declared.as_ref())?;
        let jobs = self.copy.options.jobs;
        stream::iter(manifest.children.clone())
            .map(|child| self.child(child, depth + 1))
            .buffer_unordered(jobs)
            .try_collect::<()>()
            .await?;
        if self.route.what == What::Whole
            && let Some(subject) = &manifest.subject
        {
            self.subject(subject.digest, depth + 1).await?;
        }
        let blobs: Vec<Descriptor> = manifest.required_blobs().cloned().collect();
        stream::iter(blobs)
            .map(|blob| self.blob(blob, manifest.kind))
            .buffer_unordered(jobs)
            .try_collect::<()>()
            .await?;
        self.write(&image).await?;
        Ok(Known {
            children: image.children.into(),
        })
    }

    async fn child(&self, child: Descriptor, depth: usize) -> anyhow::Result<()> {
        let declared = Some(child.media_type);
        match self.manifest(child.digest, None, declared, depth).await {
            Err(error) if self.copy.options.sparse && is_absent(&error, child.digest) => {
                self.copy.tally.count(|report| report.absent += 1);
                Ok(())
            }
            brought => brought
                .map(drop)
                .with_context(|| format!("in the index, {}", child.digest)),
        }
    }

    /// Brings what a manifest refers to before it. It need not be there at all.
    async fn subject(&self, subject: Digest, depth: usize) -> anyhow::Result<()> {
        match self.manifest(subject, None, None, depth).await {
            Err(error) if is_absent(&error, subject) => Ok(()),
            brought => brought
                .map(drop)
                .with_context(|| format!("it refers to {subject}")),
        }
    }

    async fn fetch(&self, reference: &Reference) -> anyhow::Result<Fetched> {
        let _permit = self.copy.permits.acquire().await?;
        let found = self
            .copy
            .source
            .manifest(&self.route.from.name, reference)
            .await?;
        Ok(found.ok_or_else(|| Absent(reference.clone()))?)
    }

    async fn write(&self, image: &Image) -> anyhow::Result<()> {
        let _permit = self.copy.permits.acquire().await?;
        let Copy {
            target,
            options,
            tally,
            ..
        } = self.copy;
        if target.has_manifest(&self.route.to, &image.digest).await? {
            tally.count(|report| report.present.images += 1);
            return Ok(());
        }
        ensure!(
            !options.compare,
            "{} is missing at the target",
            image.digest
        );
        target.put_manifest(&self.route.to, image).await?;
        tally.count(|report| report.brought.images += 1);
        Ok(())
    }

    async fn blob(&self, descriptor: Descriptor, kind: ManifestKind) -> anyhow::Result<()> {
        let bring = || self.bring_blob(&descriptor, kind);
        self.blobs.get(descriptor.digest, bring).await
    }

    async fn bring_blob(&self, descriptor: &Descriptor, kind: ManifestKind) -> anyhow::Result<()> {
        let _permit = self.copy.permits.acquire().await?;
        let Copy {
            source,
            target,
            options,
            tally,
            progress,
            ..
        } = self.copy;
        let (from, to, digest) = (&self.route.from.name, &self.route.to, descriptor.digest);
        let size = match kind {
            // It tells no sizes.
            ManifestKind::Schema1 => source.size(from, &digest).await?,
            _ => Some(descriptor.size),
        };
        let size = size.with_context(|| format!("the blob {digest} is not at the source"))?;
        if target.has_blob(to, &digest, size).await? {
            tally.count(|report| report.present.blobs += 1);
            return Ok(());
        }
        ensure!(
            !options.compare,
            "the blob {digest} is missing at the target"
        );
        let blob = Blob {
            source: source.clone(),
            repository: from.clone(),
            digest,
            size,
            progress: progress.clone(),
        };
        let brought = target.put_blob(to, &blob).await;
        match brought.with_context(|| format!("the blob {digest}"))? {
            Brought::Sent => tally.count(|report| report.brought.blobs += 1),
            Brought::Mounted => tally.count(|report| report.mounted += 1),
        }
        Ok(())
    }
}

/// Whether an error says that the source has not this very manifest.
fn is_absent(error: &anyhow::Error, digest: Digest) -> bool {
    let absent = error.downcast_ref::<Absent>();
    absent.is_some_and(|absent| absent.0 == Reference::Digest(digest))
}

/// Reads what a manifest says. Its own type counts more than what others say that it is.
fn read(fetched: &Fetched, declared: Option<&MediaType>) -> anyhow::Result<(Image, Manifest)> {
    let read = match Manifest::parse(&fetched.bytes, None) {
        Err(ManifestError::MediaTypeMissing) => {
            Manifest::parse(&fetched.bytes, declared.or(fetched.media_type.as_ref()))
        }
        read => read,
    };
    let manifest = read.with_context(|| format!("the manifest {}", fetched.digest))?;
    let image = Image {
        digest: fetched.digest,
        media_type: manifest.media_type.clone(),
        artifact_type: manifest
            .artifact_type
            .clone()
            .filter(|_| manifest.subject.is_some()),
        children: manifest.children.iter().map(|child| child.digest).collect(),
        blobs: manifest.required_blobs().map(|blob| blob.digest).collect(),
        subject: manifest.subject.as_ref().map(|subject| subject.digest),
        bytes: fetched.bytes.clone(),
    };
    Ok((image, manifest))
}

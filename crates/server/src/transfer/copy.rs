//! The copy itself: which manifests and blobs are brought, in which order, and never twice at a time.
//!
//! A manifest follows all that it is made of, what refers to an image follows the image, and a tag comes last. So whatever
//! a copy that was stopped has left is whole, and running it again goes on: what is there is not sent again.
//!
//! Images of a list are brought several at a time, and the blobs of each; but an index's manifests one after the other, so
//! that no more than one [`Chain`] of them is in memory for each image.

use std::{num::NonZeroUsize, sync::Arc};

use anyhow::{Context, bail, ensure};
use futures_util::{
    FutureExt, StreamExt, TryStreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use longshore_types::{
    digest::Digest,
    manifest::{Descriptor, Manifest, ManifestError, ManifestKind},
    media_type::{MediaType, OCI_IMAGE_INDEX},
    name::{ImageTag, Reference},
};
use tokio::sync::Semaphore;

use self::{chain::Chain, once::Once};
use super::{
    blob::Blob,
    progress::Progress,
    report::{Report, Tally},
    settings::Settings,
    source::{Entry, Route, Source, What},
    target::{Brought, Image, Target},
};
use crate::oci_client::Fetched;

mod chain;
mod once;
#[cfg(test)]
mod tests;

/// How many manifests of a repository are remembered, and how many blobs. What is forgotten is looked at again.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(100_000).expect("it is not zero");

/// How a copy is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// How many requests and transfers there are at a time.
    pub(crate) jobs: usize,
    /// Whether an index may name manifests that the source has not.
    pub(crate) sparse: bool,
    /// Whether a tag that stands for another image at the target is left as it is, which is a failure.
    pub(crate) keep_tags: bool,
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
    remembered: NonZeroUsize,
}

/// A repository being copied.
struct Way<'a> {
    copy: &'a Copy,
    route: &'a Route,
    /// Of each that is there, whether it is made of others.
    manifests: Once<bool>,
    /// Of each that is there, its size.
    blobs: Once<u64>,
    walked: Once<()>,
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
            remembered: REMEMBERED,
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
                manifests: Once::new(self.remembered),
                blobs: Once::new(self.remembered),
                walked: Once::new(self.remembered),
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
                self.entry(entry, Chain::default()).await;
                Ok(())
            })
            .await
    }

    /// Brings an image of a list; what goes wrong is noted and keeps nothing else from being brought.
    async fn entry(&self, entry: Entry, chain: Chain) {
        let (reference, done) = match entry {
            Entry::Lost(image, why) => (image, Err(anyhow::anyhow!(why))),
            Entry::Untagged(digest) => (
                digest.to_string(),
                self.listed(&Reference::Digest(digest), None, chain).await,
            ),
            Entry::Tag(tag, digest) => {
                let reference = match digest {
                    Some(digest) => Reference::Digest(digest),
                    None => Reference::Tag(tag.clone()),
                };
                (
                    tag.to_string(),
                    self.listed(&reference, Some(&tag), chain).await,
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
        chain: Chain,
    ) -> anyhow::Result<()> {
        let fetched = self.fetch(reference).await?;
        let (image, _) = read(&fetched, None)?;
        let digest = image.digest;
        self.manifest(digest, Some(fetched), None, chain).await?;
        let chain = chain.with_manifest(&image.bytes)?;
        self.walk(digest, &image.children, chain).await?;
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
        } else if let Some(other) = now.filter(|_| options.keep_tags) {
            bail!("the tag stands for {other} at the target, and is kept");
        } else {
            target.tag(to, tag, &image).await?;
            tally.count(|report| report.brought.tags += 1);
        }
        Ok(())
    }

    /// Brings what belongs to a manifest that is there, and to what it is made of.
    fn walk<'a>(
        &'a self,
        digest: Digest,
        children: &'a [Digest],
        chain: Chain,
    ) -> BoxFuture<'a, anyhow::Result<()>> {
        async move {
            let is_whole = self.route.what == What::Whole;
            if is_whole && self.copy.source.lists_all() || !self.walked.first(digest) {
                return Ok(());
            }
            let chain = chain.deeper()?;
            for child in children {
                match self.manifests.made(*child) {
                    Some(false) => self.walk(*child, &[], chain).await?,
                    Some(true) | None => self.walk_unknown(*child, chain).await?,
                }
            }
            let attached = self
                .copy
                .source
                .attached(&self.route.from.name, &digest, !is_whole);
            let attached = attached
                .await
                .context("what refers to it cannot be listed")?;
            let chain = chain.with(size_of_val(attached.as_slice()))?;
            for entry in attached {
                self.entry(entry, chain).await;
            }
            Ok(())
        }
        .boxed()
    }

    /// The same for what need not be an image: an index in an index, or what is forgotten. It is read again for it, as what all
    /// of them are made of would be too much to remember.
    async fn walk_unknown(&self, digest: Digest, chain: Chain) -> anyhow::Result<()> {
        let fetched = match self.fetch(&Reference::Digest(digest)).await {
            // That was either allowed or has failed before.
            Err(error) if is_absent(&error, digest) => return Ok(()),
            fetched => fetched?,
        };
        // One of which neither it nor the source says what it is.
        let index = OCI_IMAGE_INDEX.parse().ok();
        let read = read(&fetched, None).or_else(|_| read(&fetched, index.as_ref()));
        let children = read?.0.children;
        let chain = chain.with(size_of_val(children.as_slice()))?;
        self.walk(digest, &children, chain).await
    }

    /// Brings a manifest with all that it is made of, once, however many ask for it. Returns whether it is made of others.
    fn manifest(
        &self,
        digest: Digest,
        fetched: Option<Fetched>,
        declared: Option<MediaType>,
        chain: Chain,
    ) -> BoxFuture<'_, anyhow::Result<bool>> {
        async move {
            let bring = || self.bring(digest, fetched, declared, chain);
            self.manifests.get(digest, bring).await
        }
        .boxed()
    }

    async fn bring(
        &self,
        digest: Digest,
        fetched: Option<Fetched>,
        declared: Option<MediaType>,
        chain: Chain,
    ) -> anyhow::Result<bool> {
        let fetched = match fetched {
            Some(fetched) => fetched,
            None => self.fetch(&Reference::Digest(digest)).await?,
        };
        let chain = chain.deeper()?.with_manifest(&fetched.bytes)?;
        let (image, manifest) = read(&fetched, declared.as_ref())?;
        for child in &manifest.children {
            self.child(child, chain).await?;
        }
        if self.route.what == What::Whole
            && let Some(subject) = &manifest.subject
        {
            self.subject(subject.digest, chain).await?;
        }
        let blobs = manifest.required_blobs();
        let blobs: Vec<_> = blobs.map(|blob| self.blob(blob, manifest.kind)).collect();
        stream::iter(blobs)
            .buffer_unordered(self.copy.options.jobs)
            .try_collect::<()>()
            .await?;
        self.write(&image).await?;
        Ok(!image.children.is_empty())
    }

    async fn child(&self, child: &Descriptor, chain: Chain) -> anyhow::Result<()> {
        let declared = Some(child.media_type.clone());
        match self.manifest(child.digest, None, declared, chain).await {
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
    async fn subject(&self, subject: Digest, chain: Chain) -> anyhow::Result<()> {
        match self.manifest(subject, None, None, chain).await {
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

    async fn blob(&self, descriptor: &Descriptor, kind: ManifestKind) -> anyhow::Result<()> {
        let digest = descriptor.digest;
        // Schema 1 tells no sizes.
        let told = (kind != ManifestKind::Schema1).then_some(descriptor.size);
        let bring = || self.bring_blob(digest, told);
        let size = self.blobs.get(digest, bring).await?;
        ensure!(
            told.is_none_or(|told| told == size),
            "the blob {digest} has {size} bytes, {} by the manifest",
            descriptor.size
        );
        Ok(())
    }

    /// Returns the size of the blob, which is looked for if it is not `told`.
    async fn bring_blob(&self, digest: Digest, told: Option<u64>) -> anyhow::Result<u64> {
        let _permit = self.copy.permits.acquire().await?;
        let Copy {
            source,
            target,
            options,
            tally,
            progress,
            ..
        } = self.copy;
        let (from, to) = (&self.route.from.name, &self.route.to);
        let size = match told {
            None => source.size(from, &digest).await?,
            told => told,
        };
        let size = size.with_context(|| format!("the blob {digest} is not at the source"))?;
        if target.has_blob(to, &digest, size).await? {
            tally.count(|report| report.present.blobs += 1);
            return Ok(size);
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
        Ok(size)
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

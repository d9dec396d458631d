//! Registries as sources and targets.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::ensure;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use longshore_types::{
    digest::Digest,
    name::{ImageTag, Reference, RepositoryName},
};
use lru::LruCache;

use super::{
    blob::{Blob, Tries},
    ecr,
    settings::Settings,
    source::{Entry, Origin, Source},
    target::{Brought, Image, Target},
};
use crate::{
    oci_client::{Fetched, Place, Registry, fallback_tag},
    remote::Remote,
};

/// What cosign keeps beside an image, by the ends of its tags.
const BESIDE: [&str; 4] = ["", ".sig", ".att", ".sbom"];
/// How many repositories a catalog may have.
const MOST_REPOSITORIES: usize = 1_000_000;
/// How many characters of a repository's name are kept; a valid one has no more than 255.
const LONGEST_NAME: usize = 256;
/// How many blobs are remembered with a repository that has them.
const HOLDERS: NonZeroUsize = NonZeroUsize::new(100_000).expect("it is not zero");

/// A registry that is read.
#[derive(Debug)]
pub(crate) struct RegistrySource {
    pub(crate) registry: Arc<Registry>,
    pub(crate) lists: Lists,
}

/// How a registry is asked what it has.
#[derive(Debug)]
pub(crate) enum Lists {
    /// By the catalog and tags of the distribution protocol: untagged images are found only if something names them.
    Protocol,
    /// By ECR's API, which lists all.
    Api {
        /// The API.
        remote: Box<Remote>,
        /// Whether archived images are told, as lost.
        archived: bool,
    },
}

#[async_trait]
impl Source for RegistrySource {
    async fn repositories(&self) -> anyhow::Result<Vec<Origin>> {
        if let Lists::Api { remote, .. } = &self.lists {
            return Ok(ecr::repositories(remote).await?);
        }
        let (mut found, mut next) = (Vec::new(), None);
        loop {
            let page = self.registry.catalog(next.as_ref()).await?;
            found.extend(page.names.into_iter().map(|name| Origin {
                // What is longer is no name, and told as such.
                name: name.chars().take(LONGEST_NAME).collect(),
                settings: None,
            }));
            ensure!(
                found.len() <= MOST_REPOSITORIES,
                "the catalog has more than {MOST_REPOSITORIES} repositories"
            );
            next = page.next;
            if next.is_none() {
                return Ok(found);
            }
        }
    }

    async fn repository(&self, name: &str) -> anyhow::Result<Option<Origin>> {
        let settings = match &self.lists {
            // Whether it is there is seen when it is read.
            Lists::Protocol => None,
            Lists::Api { remote, .. } => match ecr::repository(remote, name).await? {
                None => return Ok(None),
                found => found,
            },
        };
        Ok(Some(Origin {
            name: name.to_owned(),
            settings,
        }))
    }

    fn images<'a>(&'a self, repository: &'a str) -> BoxStream<'a, anyhow::Result<Entry>> {
        match &self.lists {
            Lists::Api { remote, archived } => ecr::images(remote, repository, *archived),
            Lists::Protocol => tags(&self.registry, repository),
        }
    }

    fn lists_all(&self) -> bool {
        matches!(self.lists, Lists::Api { .. })
    }

    async fn manifest(
        &self,
        repository: &str,
        reference: &Reference,
    ) -> anyhow::Result<Option<Fetched>> {
        Ok(self.registry.manifest(repository, reference).await?)
    }

    async fn attached(
        &self,
        repository: &str,
        subject: &Digest,
        with_tags: bool,
    ) -> anyhow::Result<Vec<Entry>> {
        let referrers = self.registry.referrers(repository, subject).await?;
        let mut found: Vec<Entry> = referrers.into_iter().map(Entry::Untagged).collect();
        let suffixes = BESIDE.iter().filter(|_| with_tags);
        for suffix in suffixes {
            let tag = fallback_tag(subject, suffix);
            let reference = Reference::Tag(tag.clone());
            if let Some(digest) = self.registry.resolve(repository, &reference).await? {
                found.push(Entry::Tag(tag, Some(digest)));
            }
        }
        Ok(found)
    }

    async fn size(&self, repository: &str, digest: &Digest) -> anyhow::Result<Option<u64>> {
        Ok(self.registry.blob_size(repository, digest).await?)
    }

    async fn read(
        &self,
        repository: &str,
        digest: &Digest,
        from: u64,
    ) -> anyhow::Result<BoxStream<'static, anyhow::Result<Bytes>>> {
        let bytes = self.registry.blob(repository, digest, from).await?;
        Ok(bytes.map_err(anyhow::Error::from).boxed())
    }
}

/// The tags of a repository, page by page.
fn tags<'a>(registry: &'a Registry, repository: &'a str) -> BoxStream<'a, anyhow::Result<Entry>> {
    let first = (VecDeque::new(), Some(None::<Place>));
    stream::try_unfold(first, move |(mut ready, mut next)| async move {
        loop {
            if let Some(name) = ready.pop_front() {
                let entry = entry(name);
                return Ok(Some((entry, (ready, next))));
            }
            let Some(place) = next.take() else {
                return Ok(None);
            };
            let page = registry.tags(repository, place.as_ref()).await?;
            ready.extend(page.names);
            next = page.next.map(Some);
        }
    })
    .boxed()
}

fn entry(name: String) -> Entry {
    match name.parse::<ImageTag>() {
        Ok(tag) => Entry::Tag(tag, None),
        Err(error) => Entry::Lost(name, error.to_string()),
    }
}

/// This registry, being written.
#[derive(Debug)]
pub(crate) struct RegistryTarget {
    registry: Arc<Registry>,
    remote: Remote,
    /// Repositories that have a blob, for mounts.
    holders: Mutex<LruCache<Digest, RepositoryName>>,
}

impl RegistryTarget {
    pub(crate) fn new(registry: Arc<Registry>, remote: Remote) -> Self {
        Self {
            registry,
            remote,
            holders: Mutex::new(LruCache::new(HOLDERS)),
        }
    }

    fn holder(&self, digest: &Digest) -> Option<RepositoryName> {
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        holders.get(digest).cloned()
    }

    fn hold(&self, digest: &Digest, repository: &RepositoryName) {
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        holders.put(*digest, repository.clone());
    }

    /// Mounts or sends a blob, once.
    async fn send(&self, repository: &RepositoryName, blob: &Blob) -> anyhow::Result<Brought> {
        let holder = self.holder(&blob.digest);
        let mut upload = None;
        if let Some(from) = holder.filter(|holder| holder != repository) {
            upload = self.registry.mount(repository, &from, &blob.digest).await?;
            if upload.is_none() {
                return Ok(Brought::Mounted);
            }
        }
        let bytes = blob.read();
        let sent = self
            .registry
            .send_blob(repository, upload, &blob.digest, blob.size, bytes);
        sent.await?;
        Ok(Brought::Sent)
    }
}

#[async_trait]
impl Target for RegistryTarget {
    async fn prepare(&self, repository: &Settings) -> anyhow::Result<()> {
        let name = repository.repository_name.as_str();
        match ecr::repository(&self.remote, name).await? {
            Some(_) => Ok(()),
            None => ecr::create(&self.remote, repository).await,
        }
    }

    async fn has_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        size: u64,
    ) -> anyhow::Result<bool> {
        let found = self.registry.blob_size(repository.as_str(), digest).await?;
        let is_there = found == Some(size);
        if is_there {
            self.hold(digest, repository);
        }
        Ok(is_there)
    }

    async fn put_blob(&self, repository: &RepositoryName, blob: &Blob) -> anyhow::Result<Brought> {
        let mut tries = Tries::default();
        loop {
            match self.send(repository, blob).await {
                Err(error) if tries.again(&error) => tries.pause().await,
                Err(error) => return Err(error),
                Ok(brought) => {
                    self.hold(&blob.digest, repository);
                    return Ok(brought);
                }
            }
        }
    }

    async fn has_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> anyhow::Result<bool> {
        let reference = Reference::Digest(*digest);
        let found = self
            .registry
            .resolve(repository.as_str(), &reference)
            .await?;
        Ok(found == Some(*digest))
    }

    async fn put_manifest(&self, repository: &RepositoryName, image: &Image) -> anyhow::Result<()> {
        let reference = Reference::Digest(image.digest);
        let put =
            self.registry
                .put_manifest(repository, &reference, &image.media_type, &image.bytes);
        Ok(put.await?)
    }

    async fn list(&self, _: &RepositoryName, _: &Image) -> anyhow::Result<()> {
        Ok(())
    }

    async fn tagged(
        &self,
        repository: &RepositoryName,
        tag: &ImageTag,
    ) -> anyhow::Result<Option<Digest>> {
        let reference = Reference::Tag(tag.clone());
        Ok(self
            .registry
            .resolve(repository.as_str(), &reference)
            .await?)
    }

    async fn tag(
        &self,
        repository: &RepositoryName,
        tag: &ImageTag,
        image: &Image,
    ) -> anyhow::Result<()> {
        let reference = Reference::Tag(tag.clone());
        let put =
            self.registry
                .put_manifest(repository, &reference, &image.media_type, &image.bytes);
        Ok(put.await?)
    }
}

//! Where images go to.

use async_trait::async_trait;
use bytes::Bytes;
use longshore_types::{
    digest::Digest,
    media_type::MediaType,
    name::{ImageTag, RepositoryName},
};

use super::{blob::Blob, settings::Settings};

/// A manifest that is brought.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// The digest of the bytes.
    pub(crate) digest: Digest,
    /// The type.
    pub(crate) media_type: MediaType,
    /// The type of artifact, if it is one.
    pub(crate) artifact_type: Option<String>,
    /// What an index is made of.
    pub(crate) children: Vec<Digest>,
    /// The blobs that must be there with it.
    pub(crate) blobs: Vec<Digest>,
    /// What it refers to.
    pub(crate) subject: Option<Digest>,
    /// The bytes.
    pub(crate) bytes: Bytes,
}

/// How a blob came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brought {
    /// Its bytes were sent.
    Sent,
    /// Another repository had it.
    Mounted,
}

/// A registry or a layout that is written. It says that something is there only when it is, whole and durable.
#[async_trait]
pub(crate) trait Target: Send + Sync + std::fmt::Debug {
    /// Makes a repository unless it is there.
    async fn prepare(&self, repository: &Settings) -> anyhow::Result<()>;

    /// Whether a repository has a blob of that size.
    async fn has_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        size: u64,
    ) -> anyhow::Result<bool>;

    /// Writes a blob, and compares it with its digest.
    async fn put_blob(&self, repository: &RepositoryName, blob: &Blob) -> anyhow::Result<Brought>;

    /// Whether a repository has a manifest.
    async fn has_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> anyhow::Result<bool>;

    /// Writes a manifest, all that it is made of being there.
    async fn put_manifest(&self, repository: &RepositoryName, image: &Image) -> anyhow::Result<()>;

    /// Takes note that a manifest that is there is one of the source's list, with or without a tag.
    async fn list(&self, repository: &RepositoryName, image: &Image) -> anyhow::Result<()>;

    /// What a tag stands for.
    async fn tagged(
        &self,
        repository: &RepositoryName,
        tag: &ImageTag,
    ) -> anyhow::Result<Option<Digest>>;

    /// Lets a tag stand for a manifest that is there.
    async fn tag(
        &self,
        repository: &RepositoryName,
        tag: &ImageTag,
        image: &Image,
    ) -> anyhow::Result<()>;
}

//! Where images come from.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use longshore_types::{
    digest::Digest,
    name::{ImageTag, Reference, RepositoryName},
};

use super::settings::Settings;
use crate::oci_client::Fetched;

/// A repository of a source, which may have a name that no repository here can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Its name there.
    pub(crate) name: String,
    /// Its settings, where the source tells them.
    pub(crate) settings: Option<Settings>,
}

/// An image that a source lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A tag, with the digest it stands for if the list tells that.
    Tag(ImageTag, Option<Digest>),
    /// An image without a tag.
    Untagged(Digest),
    /// Something that cannot be had, and why.
    Lost(String, String),
}

/// How much of a repository is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// All of it.
    Whole,
    /// These images, and what belongs to them.
    Images(Vec<Reference>),
}

/// A registry or a layout that is read. What it gives is compared with digests by whoever takes it, manifests excepted,
/// which it compares itself.
#[async_trait]
pub(crate) trait Source: Send + Sync + std::fmt::Debug {
    /// Lists its repositories.
    async fn repositories(&self) -> anyhow::Result<Vec<Origin>>;

    /// Finds one of them; `None` if there is none of that name.
    async fn repository(&self, name: &str) -> anyhow::Result<Option<Origin>>;

    /// Lists all images of a repository.
    fn images<'a>(&'a self, repository: &'a str) -> BoxStream<'a, anyhow::Result<Entry>>;

    /// Whether those lists have untagged images and what refers to others, so that nobody need look for them.
    fn lists_all(&self) -> bool;

    /// Reads a manifest; `None` if there is none.
    async fn manifest(
        &self,
        repository: &str,
        reference: &Reference,
    ) -> anyhow::Result<Option<Fetched>>;

    /// Lists what refers to an image; `with_tags` adds what belongs to it by the name of its tag.
    async fn attached(
        &self,
        repository: &str,
        subject: &Digest,
        with_tags: bool,
    ) -> anyhow::Result<Vec<Entry>>;

    /// The size of a blob in bytes; `None` if there is none.
    async fn size(&self, repository: &str, digest: &Digest) -> anyhow::Result<Option<u64>>;

    /// Reads a blob from a byte on.
    async fn read(
        &self,
        repository: &str,
        digest: &Digest,
        from: u64,
    ) -> anyhow::Result<BoxStream<'static, anyhow::Result<Bytes>>>;
}

/// Where a repository's images go.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// The repository at the source.
    pub(crate) from: Origin,
    /// The name at the target.
    pub(crate) to: RepositoryName,
    /// How much of it.
    pub(crate) what: What,
}

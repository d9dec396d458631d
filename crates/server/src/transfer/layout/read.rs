//! A layout as a source.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, bail, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use longshore_types::{
    digest::Digest,
    manifest::{MAX_MANIFEST_BYTES, Manifest},
    media_type::MediaType,
    name::{ImageTag, Reference},
};
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use super::{
    files::Files,
    json::{INDEX, Index, LayoutVersion, OCI_LAYOUT, SIDE_FILE, blob_name},
    naming::Naming,
    section::Section,
};
use crate::{
    oci_client::{Fetched, fallback_tag},
    transfer::{
        hash,
        settings::{Settings, SideFile},
        source::{Entry, Origin, Source},
        under,
    },
};

/// How many bytes the list of a layout may have: some 1.5 million images.
pub(super) const MAX_INDEX: u64 = 512 * 1024 * 1024;
/// How many bytes `oci-layout` may have.
const MAX_VERSION: u64 = 64 * 1024;

/// A layout that is read.
#[derive(Debug)]
pub(crate) struct LayoutSource {
    files: Arc<Files>,
    /// Images by their repositories, as they are called at the target.
    images: BTreeMap<String, Vec<Entry>>,
    types: HashMap<Digest, MediaType>,
    settings: HashMap<String, Settings>,
    referrers: OnceCell<HashMap<Digest, Vec<Digest>>>,
}

impl LayoutSource {
    /// Opens a layout and reads what is in it. Blocks.
    pub(crate) fn open(path: &Path, naming: &Naming) -> anyhow::Result<Self> {
        let files = Files::open(path)?;
        check_version(&files)?;
        let index: Index = json(&files, INDEX, MAX_INDEX)?.with_context(|| {
            format!("`{INDEX}` is missing: the layout was not written to its end")
        })?;
        let mut images: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        let mut types = HashMap::new();
        let mut named: HashMap<(String, String), Digest> = HashMap::new();
        for descriptor in &index.manifests {
            let (repository, tag) = naming.of(descriptor)?;
            let digest = descriptor.digest;
            let first = tag.as_ref().map(|tag| {
                let name = (repository.clone(), tag.clone());
                *named.entry(name).or_insert(digest)
            });
            let entry = match tag.map(|tag| (tag.parse::<ImageTag>(), tag)) {
                None => Entry::Untagged(digest),
                Some((_, tag)) if first.is_some_and(|first| first != digest) => {
                    Entry::Lost(tag, format!("it is the name of {digest}, too"))
                }
                Some((Ok(tag), _)) => Entry::Tag(tag, Some(digest)),
                Some((Err(error), tag)) => Entry::Lost(tag, error.to_string()),
            };
            images.entry(repository).or_default().push(entry);
            types.insert(digest, descriptor.media_type.clone());
        }
        let settings = settings(&files, naming)?;
        for name in settings.keys() {
            images.entry(name.clone()).or_default();
        }
        Ok(Self {
            files: Arc::new(files),
            images,
            types,
            settings,
            referrers: OnceCell::new(),
        })
    }

    /// Opens the file of a blob.
    async fn section(&self, digest: &Digest) -> anyhow::Result<Option<Section>> {
        let (files, name) = (self.files.clone(), blob_name(digest));
        tokio::task::spawn_blocking(move || files.section(&name)).await?
    }

    fn origin(&self, name: &str) -> Origin {
        Origin {
            name: name.to_owned(),
            settings: self.settings.get(name).cloned(),
        }
    }

    fn entries(&self, repository: &str) -> &[Entry] {
        self.images.get(repository).map_or(&[], Vec::as_slice)
    }

    fn tagged(&self, repository: &str, wanted: &ImageTag) -> Option<Digest> {
        let mut entries = self.entries(repository).iter();
        entries.find_map(|entry| match entry {
            Entry::Tag(tag, digest) if tag == wanted => *digest,
            _ => None,
        })
    }

    /// What refers to what, of the manifests that the layout lists.
    async fn referrers(&self) -> anyhow::Result<HashMap<Digest, Vec<Digest>>> {
        let mut found: HashMap<Digest, Vec<Digest>> = HashMap::new();
        for (digest, media_type) in &self.types {
            // What cannot be read says so when it is asked for itself.
            let fetched = self.manifest("", &Reference::Digest(*digest)).await;
            let Some(fetched) = fetched.ok().flatten() else {
                continue;
            };
            let manifest = Manifest::parse(&fetched.bytes, Some(media_type)).ok();
            if let Some(subject) = manifest.and_then(|manifest| manifest.subject) {
                found.entry(subject.digest).or_default().push(*digest);
            }
        }
        Ok(found)
    }
}

#[async_trait]
impl Source for LayoutSource {
    async fn repositories(&self) -> anyhow::Result<Vec<Origin>> {
        Ok(self.images.keys().map(|name| self.origin(name)).collect())
    }

    async fn repository(&self, name: &str) -> anyhow::Result<Option<Origin>> {
        Ok(self.images.contains_key(name).then(|| self.origin(name)))
    }

    fn images<'a>(&'a self, repository: &'a str) -> BoxStream<'a, anyhow::Result<Entry>> {
        stream::iter(self.entries(repository).iter().cloned().map(Ok)).boxed()
    }

    fn lists_all(&self) -> bool {
        true
    }

    async fn manifest(
        &self,
        repository: &str,
        reference: &Reference,
    ) -> anyhow::Result<Option<Fetched>> {
        let digest = match reference {
            Reference::Digest(digest) => Some(*digest),
            Reference::Tag(tag) => self.tagged(repository, tag),
        };
        let Some(digest) = digest else {
            return Ok(None);
        };
        let Some(section) = self.section(&digest).await? else {
            return Ok(None);
        };
        let read = move || section.whole(MAX_MANIFEST_BYTES as u64);
        let bytes = tokio::task::spawn_blocking(read).await?;
        let bytes = bytes.with_context(|| format!("the manifest {digest}"))?;
        ensure!(
            hash::of(digest.algorithm(), &bytes) == digest,
            "the layout's bytes of {digest} are not those of the manifest"
        );
        Ok(Some(Fetched {
            digest,
            media_type: self.types.get(&digest).cloned(),
            bytes,
        }))
    }

    async fn attached(
        &self,
        repository: &str,
        subject: &Digest,
        with_tags: bool,
    ) -> anyhow::Result<Vec<Entry>> {
        let all = self.referrers.get_or_try_init(|| self.referrers()).await?;
        let found = all.get(subject).into_iter().flatten();
        let mut found: Vec<Entry> = found.copied().map(Entry::Untagged).collect();
        for suffix in ["", ".sig", ".att", ".sbom"].iter().filter(|_| with_tags) {
            let tag = fallback_tag(subject, suffix);
            if let Some(digest) = self.tagged(repository, &tag) {
                found.push(Entry::Tag(tag, Some(digest)));
            }
        }
        Ok(found)
    }

    async fn size(&self, _: &str, digest: &Digest) -> anyhow::Result<Option<u64>> {
        Ok(self.section(digest).await?.map(|section| section.len))
    }

    async fn read(
        &self,
        _: &str,
        digest: &Digest,
        from: u64,
    ) -> anyhow::Result<BoxStream<'static, anyhow::Result<Bytes>>> {
        let section = self.section(digest).await?;
        let section = section.with_context(|| format!("the blob {digest} is not in the layout"))?;
        Ok(section.stream(from))
    }
}

fn check_version(files: &Files) -> anyhow::Result<()> {
    let Some(version) = json::<LayoutVersion>(files, OCI_LAYOUT, MAX_VERSION)? else {
        if files.section("manifest.json")?.is_some() {
            bail!(
                "it is an archive of `docker save` before Docker 25, which is no OCI layout: \
                 `skopeo copy docker-archive:OLD.tar oci-archive:NEW.tar:REPOSITORY:TAG` makes one of it"
            );
        }
        bail!("it is no OCI image layout: `{OCI_LAYOUT}` is missing");
    };
    let version = version.image_layout_version;
    ensure!(
        version.starts_with("1."),
        "the layout is of version `{version}`, which is not known"
    );
    Ok(())
}

/// The settings of repositories by the names they get.
fn settings(files: &Files, naming: &Naming) -> anyhow::Result<HashMap<String, Settings>> {
    let side: Option<SideFile> = json(files, SIDE_FILE, MAX_INDEX)?;
    let repositories = side.unwrap_or_default().repositories;
    if naming.repository.is_some() && repositories.len() > 1 {
        return Ok(HashMap::new());
    }
    let named = repositories.into_iter().map(|settings| {
        let name = settings.repository_name.as_str().to_owned();
        let name = naming.repository.clone().unwrap_or(name);
        (under(&naming.prefix, &name), settings)
    });
    Ok(named.collect())
}

fn json<T: DeserializeOwned>(files: &Files, name: &str, limit: u64) -> anyhow::Result<Option<T>> {
    let Some(section) = files.section(name)? else {
        return Ok(None);
    };
    let bytes = section
        .whole(limit)
        .with_context(|| format!("`{name}` cannot be read"))?;
    let read = serde_json::from_slice(&bytes);
    Ok(Some(
        read.with_context(|| format!("`{name}` is not valid"))?,
    ))
}

//! What an archive will hold: blobs and manifests, and what manifests are made of.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use indexmap::IndexMap;
use longshore_types::digest::Digest;

use crate::transfer::target::Image;

/// Blobs and manifests by their digests. Each has a number, which it keeps.
#[derive(Debug, Default)]
pub(super) struct Contents(IndexMap<Digest, Content>);

/// Where the bytes of a digest come from.
#[derive(Clone, Debug)]
pub(super) struct Content {
    /// A repository that has it.
    pub(super) repository: Arc<str>,
    /// In bytes.
    pub(super) size: u64,
    /// The numbers of what a manifest is made of, its subject included; `None` for a blob.
    parts: Option<Box<[usize]>>,
}

impl Content {
    /// Whether it is read as a manifest.
    pub(super) fn is_manifest(&self) -> bool {
        self.parts.is_some()
    }
}

impl Contents {
    pub(super) fn has_blob(&self, digest: &Digest, size: u64) -> bool {
        self.0.get(digest).is_some_and(|it| it.size == size)
    }

    pub(super) fn has_manifest(&self, digest: &Digest) -> bool {
        self.0.get(digest).is_some_and(Content::is_manifest)
    }

    pub(super) fn add_blob(&mut self, digest: Digest, repository: &str, size: u64) {
        let content = Content {
            repository: repository.into(),
            size,
            parts: None,
        };
        self.0.entry(digest).or_insert(content);
    }

    /// Adds a manifest. What it is made of was added before; a subject need not be there.
    pub(super) fn add_manifest(&mut self, image: &Image, repository: &str) {
        let parts = image.children.iter().chain(&image.blobs);
        let parts = parts.chain(&image.subject);
        let parts = parts.filter_map(|digest| self.0.get_index_of(digest));
        let content = Content {
            repository: repository.into(),
            size: image.bytes.len() as u64,
            parts: Some(parts.collect()),
        };
        self.0.insert(image.digest, content);
    }

    /// All that is needed for these images, in the order of the digests.
    pub(super) fn needed(
        &self,
        images: impl Iterator<Item = Digest>,
    ) -> impl Iterator<Item = (Digest, Content)> {
        let mut open: Vec<usize> = images.filter_map(|it| self.0.get_index_of(&it)).collect();
        let mut needed = BTreeSet::new();
        let mut seen = vec![false; self.0.len()];
        while let Some(number) = open.pop() {
            let is_new = seen
                .get_mut(number)
                .is_some_and(|seen| !std::mem::replace(seen, true));
            if let Some((digest, content)) = self.0.get_index(number).filter(|_| is_new) {
                needed.insert(*digest);
                open.extend(content.parts.iter().flatten());
            }
        }
        needed
            .into_iter()
            .filter_map(|digest| Some((digest, self.0.get(&digest)?.clone())))
    }

    /// What is not whole without what is `lost`, each with what it lacks.
    pub(super) fn broken(&self, lost: impl Iterator<Item = Digest>) -> HashMap<Digest, Digest> {
        let mut broken: HashMap<Digest, Digest> = lost.map(|digest| (digest, digest)).collect();
        let lacks = |broken: &HashMap<Digest, Digest>, content: &Content| {
            let mut parts = content.parts.iter().flatten();
            parts.find_map(|part| broken.get(self.0.get_index(*part)?.0).copied())
        };
        loop {
            let before = broken.len();
            for (digest, content) in &self.0 {
                if !broken.contains_key(digest)
                    && let Some(lost) = lacks(&broken, content)
                {
                    broken.insert(*digest, lost);
                }
            }
            if broken.len() == before {
                return broken;
            }
        }
    }
}

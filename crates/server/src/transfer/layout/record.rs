//! What a layout that is written has.

use std::collections::{BTreeMap, HashMap, HashSet};

use longshore_types::{
    digest::Digest,
    name::{ImageTag, RepositoryName},
};

use super::json::{Listing, NewDescriptor, NewIndex};
use crate::transfer::{
    settings::{Settings, SideFile},
    target::Image,
};

/// The images of a layout by their repositories.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    repositories: BTreeMap<RepositoryName, Images>,
}

/// The images of a repository.
#[derive(Clone, Debug)]
struct Images {
    settings: Settings,
    tags: BTreeMap<ImageTag, Listing>,
    untagged: BTreeMap<Digest, Listing>,
    /// What indexes are made of: that need not be listed.
    children: HashMap<Digest, Vec<Digest>>,
}

impl Record {
    /// Adds a repository.
    pub(super) fn prepare(&mut self, settings: &Settings) {
        let name = settings.repository_name.clone();
        self.images(&name).settings = settings.clone();
    }

    /// Takes note of what an index is made of.
    pub(super) fn put(&mut self, repository: &RepositoryName, image: &Image) {
        if !image.children.is_empty() {
            let children = &mut self.images(repository).children;
            children.insert(image.digest, image.children.clone());
        }
    }

    /// Lists an image.
    pub(super) fn list(&mut self, repository: &RepositoryName, listing: Listing) {
        self.images(repository)
            .untagged
            .insert(listing.digest, listing);
    }

    /// Lists an image under a tag.
    pub(super) fn tag(&mut self, repository: &RepositoryName, tag: &ImageTag, listing: Listing) {
        self.images(repository).tags.insert(tag.clone(), listing);
    }

    /// All images that are listed.
    pub(super) fn listed(&self) -> impl Iterator<Item = Digest> {
        let images = self.repositories.values();
        let listings = images.flat_map(|it| it.tags.values().chain(it.untagged.values()));
        listings.map(|listing| listing.digest)
    }

    /// How many tags are listed.
    pub(super) fn n_tags(&self) -> u64 {
        let images = self.repositories.values();
        images.map(|images| images.tags.len() as u64).sum()
    }

    /// Takes images that are `broken` from the list; returns repository, tag or digest, and digest of each.
    pub(super) fn leave_out(
        &mut self,
        broken: &HashMap<Digest, Digest>,
    ) -> Vec<(String, String, Digest)> {
        let mut left_out = Vec::new();
        for (repository, images) in &mut self.repositories {
            let mut leave = |image: String, digest: Digest| {
                let leaves = broken.contains_key(&digest);
                if leaves {
                    left_out.push((repository.to_string(), image, digest));
                }
                !leaves
            };
            images
                .tags
                .retain(|tag, listing| leave(tag.to_string(), listing.digest));
            images
                .untagged
                .retain(|digest, _| leave(digest.to_string(), *digest));
            images
                .children
                .retain(|index, _| !broken.contains_key(index));
        }
        left_out
    }

    /// Adds what is not listed of an older record.
    pub(super) fn add_older(&mut self, older: Self) {
        for (name, older) in older.repositories {
            let images = self.images(&name);
            if images.tags.is_empty() && images.untagged.is_empty() {
                images.settings = older.settings;
            }
            for (tag, listing) in older.tags {
                images.tags.entry(tag).or_insert(listing);
            }
            images.untagged.extend(older.untagged);
        }
    }

    /// Leaves out repositories.
    pub(super) fn forget(&mut self, names: &HashSet<String>) {
        self.repositories
            .retain(|name, _| !names.contains(name.as_str()));
    }

    /// What `index.json` says. The only repository's images are named by their tags, as other tools have it; those of several by
    /// repository and tag.
    pub(super) fn index(&self) -> NewIndex {
        let is_one = self.repositories.len() == 1;
        let mut manifests = Vec::new();
        for (repository, images) in &self.repositories {
            let tagged: HashSet<Digest> =
                images.tags.values().map(|listing| listing.digest).collect();
            let children: HashSet<&Digest> = images.children.values().flatten().collect();
            for (tag, listing) in &images.tags {
                let name = if is_one {
                    tag.to_string()
                } else {
                    format!("{repository}:{tag}")
                };
                manifests.push(NewDescriptor::of(listing, repository.as_str(), Some(name)));
            }
            for listing in images.untagged.values() {
                let digest = listing.digest;
                if !tagged.contains(&digest) && !children.contains(&digest) {
                    manifests.push(NewDescriptor::of(listing, repository.as_str(), None));
                }
            }
        }
        NewIndex::of(manifests)
    }

    /// What `longshore.json` says.
    pub(super) fn side_file(&self) -> SideFile {
        let images = self.repositories.values();
        SideFile {
            repositories: images.map(|images| images.settings.clone()).collect(),
        }
    }

    fn images(&mut self, name: &RepositoryName) -> &mut Images {
        self.repositories
            .entry(name.clone())
            .or_insert_with(|| Images {
                settings: Settings::of(name.clone()),
                tags: BTreeMap::new(),
                untagged: BTreeMap::new(),
                children: HashMap::new(),
            })
    }
}

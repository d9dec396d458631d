//! What a layout that is written has.

use std::collections::{BTreeMap, HashSet};

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
    children: HashSet<Digest>,
}

impl Record {
    /// Adds a repository.
    pub(super) fn prepare(&mut self, settings: &Settings) {
        let name = settings.repository_name.clone();
        self.images(&name).settings = settings.clone();
    }

    /// Takes note of what an index is made of.
    pub(super) fn put(&mut self, repository: &RepositoryName, image: &Image) {
        self.images(repository).children.extend(&image.children);
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
                if !tagged.contains(&digest) && !images.children.contains(&digest) {
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
                children: HashSet::new(),
            })
    }
}

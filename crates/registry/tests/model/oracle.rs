//! The oracle: what a registry is, without storage, encryption or concurrency.

use std::collections::{BTreeMap, BTreeSet};

const KEEP_HOURS: i64 = 24;
const PROMISED_HOURS: i64 = 12;

#[derive(Clone, Debug)]
struct Link {
    keep_until: i64,
    withdrawn: bool,
}

#[derive(Debug, Default)]
struct Repository {
    links: BTreeMap<usize, Link>,
    /// Images are named by their layers, as their manifests are made of nothing else.
    images: BTreeSet<Vec<usize>>,
    indexes: BTreeSet<Vec<Vec<usize>>>,
    tags: BTreeMap<usize, Vec<usize>>,
}

/// The in-memory registry.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    now: i64,
    repositories: [Repository; super::REPOSITORIES],
}

impl Repository {
    fn referenced(&self, blob: usize) -> bool {
        self.images.iter().any(|layers| layers.contains(&blob))
    }
}

impl Oracle {
    pub(crate) fn present(&self, repository: usize, blob: usize) -> bool {
        let here = &self.repositories[repository];
        let promised =
            |link: &Link| !link.withdrawn && link.keep_until >= self.now + PROMISED_HOURS;
        here.links
            .get(&blob)
            .is_some_and(|link| here.referenced(blob) || promised(link))
    }

    pub(crate) fn push(&mut self, to: usize, blob: usize) {
        let keep_until = self.now + KEEP_HOURS;
        let link = self.repositories[to].links.entry(blob).or_insert(Link {
            keep_until,
            withdrawn: false,
        });
        link.keep_until = link.keep_until.max(keep_until);
        link.withdrawn = false;
    }

    pub(crate) fn mount(&mut self, from: usize, to: usize, blob: usize) -> bool {
        let mounted = self.present(from, blob);
        if mounted {
            self.push(to, blob);
        }
        mounted
    }

    /// Images may be sparse, as OCI allows: a layer that comes later is theirs then.
    pub(crate) fn put(&mut self, to: usize, layers: &[usize], tag: usize) -> bool {
        let here = &mut self.repositories[to];
        here.images.insert(layers.to_vec());
        here.tags.insert(tag, layers.to_vec());
        true
    }

    pub(crate) fn put_index(&mut self, to: usize, children: &[Vec<usize>]) {
        self.repositories[to].indexes.insert(children.to_vec());
    }

    pub(crate) fn untag(&mut self, from: usize, tag: usize) -> bool {
        self.repositories[from].tags.remove(&tag).is_some()
    }

    pub(crate) fn delete(&mut self, from: usize, layers: &[usize]) -> bool {
        let keep_until = self.now + KEEP_HOURS;
        let here = &mut self.repositories[from];
        let is_child = here.indexes.iter().flatten().any(|child| child == layers);
        if is_child || !here.images.remove(layers) {
            return false;
        }
        here.tags.retain(|_, image| image != layers);
        for layer in layers {
            if let Some(link) = here.links.get_mut(layer) {
                link.keep_until = link.keep_until.max(keep_until);
            }
        }
        true
    }

    pub(crate) fn delete_blob(&mut self, from: usize, blob: usize) -> bool {
        let here = &mut self.repositories[from];
        if here.referenced(blob) {
            return false;
        }
        match here.links.get_mut(&blob) {
            Some(link) if !link.withdrawn => {
                link.withdrawn = true;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn wait(&mut self, hours: i64) {
        self.now += hours;
    }

    pub(crate) fn sweep(&mut self) {
        for repository in &mut self.repositories {
            let used: BTreeSet<usize> = repository.images.iter().flatten().copied().collect();
            repository
                .links
                .retain(|blob, link| used.contains(blob) || link.keep_until > self.now);
        }
    }

    pub(crate) fn tags(&self, repository: usize) -> Vec<usize> {
        self.repositories[repository].tags.keys().copied().collect()
    }

    pub(crate) fn tagged(&self, repository: usize) -> Vec<(usize, Vec<usize>)> {
        self.repositories[repository]
            .tags
            .iter()
            .map(|(tag, layers)| (*tag, layers.clone()))
            .collect()
    }
}

//! What the registry has acknowledged, and what was found not to be so.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::layers::Layer;

/// A repository and a tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) repository: Rc<str>,
    pub(super) tag: String,
}

impl Place {
    pub(super) fn new(repository: &str, tag: String) -> Self {
        let repository = repository.into();
        Self { repository, tag }
    }
}

/// What a tag must pull as.
#[derive(Debug, Clone)]
pub(super) struct Image {
    pub(super) media_type: &'static str,
    pub(super) manifest: Rc<Layer>,
    /// Its configuration and layers.
    pub(super) blobs: Vec<Rc<Layer>>,
    /// Images that an index names.
    pub(super) children: Vec<Image>,
}

/// The acknowledgements.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    kept: RefCell<BTreeMap<Place, Image>>,
    counts: RefCell<BTreeMap<&'static str, u64>>,
    lost: RefCell<Vec<String>>,
}

impl Ledger {
    /// An operation was acknowledged.
    pub(super) fn count(&self, kind: &'static str) {
        *self.counts.borrow_mut().entry(kind).or_default() += 1;
    }

    /// From now on the tag must pull as this image.
    pub(super) fn keep(&self, place: Place, image: Image) {
        self.kept.borrow_mut().insert(place, image);
    }

    /// From now on nothing is expected of the tag.
    pub(super) fn forget(&self, place: &Place) -> Option<Image> {
        self.kept.borrow_mut().remove(place)
    }

    /// A random tag of those that `chosen` takes.
    pub(super) fn pick(
        &self,
        random: u64,
        chosen: impl Fn(&Place) -> bool,
    ) -> Option<(Place, Image)> {
        let kept = self.kept.borrow();
        let places: Vec<_> = kept.iter().filter(|(place, _)| chosen(place)).collect();
        let index = usize::try_from(random % places.len().max(1) as u64).ok()?;
        let (place, image) = places.get(index)?;
        Some(((*place).clone(), (*image).clone()))
    }

    /// Whether the tag must still pull as this image.
    pub(super) fn holds(&self, place: &Place, image: &Image) -> bool {
        let kept = self.kept.borrow();
        kept.get(place)
            .is_some_and(|now| now.manifest.digest == image.manifest.digest)
    }

    pub(super) fn lose(&self, what: String) {
        self.lost.borrow_mut().push(what);
    }

    pub(super) fn has_lost(&self) -> bool {
        !self.lost.borrow().is_empty()
    }

    /// How many tags must pull.
    pub(super) fn len(&self) -> usize {
        self.kept.borrow().len()
    }

    /// What is kept in a repository.
    pub(super) fn kept_in(&self, repository: &str) -> Vec<(Place, Image)> {
        let mut kept = self.kept();
        kept.retain(|(place, _)| &*place.repository == repository);
        kept
    }

    pub(super) fn kept(&self) -> Vec<(Place, Image)> {
        let kept = self.kept.borrow();
        kept.iter()
            .map(|(place, image)| (place.clone(), image.clone()))
            .collect()
    }

    pub(super) fn operations(&self) -> u64 {
        self.counts.borrow().values().sum()
    }

    pub(super) fn by_kind(&self) -> Vec<(&'static str, u64)> {
        let counts = self.counts.borrow();
        counts.iter().map(|(kind, count)| (*kind, *count)).collect()
    }

    pub(super) fn lost(&self) -> Vec<String> {
        self.lost.borrow().clone()
    }
}

//! Open files that are kept open: one descriptor per segment, however many read it.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_types::id::PhysicalId;

/// How many files stay open while nobody reads them.
const CAPACITY: usize = 256;

/// The least recently used go first.
#[derive(Default)]
pub(super) struct Descriptors(Mutex<Open>);

#[derive(Default)]
struct Open {
    files: HashMap<PhysicalId, Entry>,
    clock: u64,
}

struct Entry {
    file: Arc<File>,
    used: u64,
}

impl Descriptors {
    pub(super) fn find(&self, id: PhysicalId) -> Option<Arc<File>> {
        let mut open = self.lock();
        let now = open.tick();
        let entry = open.files.get_mut(&id)?;
        entry.used = now;
        Some(Arc::clone(&entry.file))
    }

    /// Keeps a file open; returns the one to use, which is another if two opened it at once.
    pub(super) fn insert(&self, id: PhysicalId, file: Arc<File>) -> Arc<File> {
        let mut open = self.lock();
        let used = open.tick();
        if open.files.len() >= CAPACITY {
            open.evict();
        }
        let entry = open.files.entry(id).or_insert(Entry { file, used });
        Arc::clone(&entry.file)
    }

    pub(super) fn remove(&self, id: PhysicalId) {
        self.lock().files.remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn evict(&mut self) {
        let oldest = self.files.iter().min_by_key(|(_, entry)| entry.used);
        if let Some(id) = oldest.map(|(id, _)| *id) {
            self.files.remove(&id);
        }
    }
}

impl fmt::Debug for Descriptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Descriptors({} open)", self.lock().files.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> PhysicalId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        PhysicalId::from_slice(&bytes).unwrap()
    }

    fn file() -> Arc<File> {
        Arc::new(tempfile::tempfile().unwrap())
    }

    #[test]
    fn the_least_recently_used_is_closed_when_there_are_too_many() {
        let descriptors = Descriptors::default();
        let first = Arc::downgrade(&descriptors.insert(id(0), file()));
        let second = Arc::downgrade(&descriptors.insert(id(1), file()));
        for number in 2..CAPACITY {
            descriptors.insert(id(number), file());
        }
        assert!(descriptors.find(id(0)).is_some());
        descriptors.insert(id(CAPACITY), file());
        assert!(first.upgrade().is_some());
        assert!(second.upgrade().is_none());
        assert!(descriptors.find(id(1)).is_none());
    }

    #[test]
    fn two_who_open_a_segment_at_once_share_a_descriptor() {
        let descriptors = Descriptors::default();
        let first = descriptors.insert(id(1), file());
        assert!(Arc::ptr_eq(&first, &descriptors.insert(id(1), file())));
    }
}

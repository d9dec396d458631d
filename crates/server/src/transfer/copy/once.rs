//! What is done once for each digest, however many need it; remembered as long as there is room.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use longshore_types::digest::Digest;
use lru::LruCache;
use tokio::sync::OnceCell;

/// Cells by digest.
#[derive(Debug)]
pub(super) struct Once<T> {
    cells: Mutex<LruCache<Digest, Arc<OnceCell<T>>>>,
}

impl<T: Clone> Once<T> {
    /// Remembers so many.
    pub(super) fn new(room: NonZeroUsize) -> Self {
        Self {
            cells: Mutex::new(LruCache::new(room)),
        }
    }

    /// Returns what was made for a digest, or makes it. What fails is tried again by the next who asks.
    pub(super) async fn get<F, E>(&self, digest: Digest, make: impl FnOnce() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let cell = self.cells().get_or_insert(digest, Arc::default).clone();
        cell.get_or_try_init(make).await.cloned()
    }

    /// What was made for a digest; `None` also of what is forgotten.
    pub(super) fn made(&self, digest: Digest) -> Option<T> {
        self.cells().peek(&digest)?.get().cloned()
    }

    fn cells(&self) -> MutexGuard<'_, LruCache<Digest, Arc<OnceCell<T>>>> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Once<()> {
    /// Whether nobody asked for this digest before.
    pub(super) fn first(&self, digest: Digest) -> bool {
        self.cells().put(digest, Arc::default()).is_none()
    }
}

//! Descriptors that are kept for telling clients that there are no more of them.
//!
//! Without one, a connection that cannot be accepted waits where nobody tells it anything.

use std::{
    fs::File,
    sync::{Arc, Mutex, PoisonError},
};

/// How many clients are told at a time.
const KEPT: usize = 8;

/// Open files that are there to be closed.
#[derive(Clone, Debug, Default)]
pub(super) struct Spares(Arc<Mutex<Vec<File>>>);

impl Spares {
    /// Opens as many as there are descriptors for.
    pub(super) fn fill(&self) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.len() < KEPT
            && let Ok(file) = File::open("/dev/null")
        {
            kept.push(file);
        }
    }

    /// Closes one, so that there is a descriptor; tells whether there was one to close.
    pub(super) fn free_one(&self) -> bool {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.is_some()
    }
}

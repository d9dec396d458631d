//! What a connection is doing, as its stream, its service and its driver see it together.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

/// Shared by the parts of one connection, which all run in one task; the atomics only satisfy `Send`.
#[derive(Debug, Default)]
pub(super) struct Activity {
    moved: AtomicBool,
    blocked: AtomicBool,
    ended: AtomicBool,
    partial: AtomicBool,
    in_flight: AtomicUsize,
}

impl Activity {
    /// Bytes came in.
    pub(super) fn received(&self, n_bytes: usize) {
        if n_bytes == 0 {
            self.ended.store(true, Relaxed);
        } else {
            self.moved.store(true, Relaxed);
            self.partial.store(true, Relaxed);
        }
    }

    /// Bytes went out, or could not.
    pub(super) fn sent(&self, blocked: bool) {
        self.blocked.store(blocked, Relaxed);
        if !blocked {
            self.moved.store(true, Relaxed);
        }
    }

    /// Whether the peer has closed its side.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// Whether nothing has happened since the last call, and nothing is half done.
    pub(super) fn was_idle(&self) -> bool {
        let moved = self.moved.swap(false, Relaxed);
        !moved
            && !self.blocked.load(Relaxed)
            && !self.partial.load(Relaxed)
            && self.in_flight.load(Relaxed) == 0
    }

    /// Whether no request is in flight.
    pub(super) fn has_no_requests(&self) -> bool {
        self.in_flight.load(Relaxed) == 0
    }

    /// A request's head is complete; it is in flight until the guard goes.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.partial.store(false, Relaxed);
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(self.clone())
    }
}

/// A request whose answer is not wholly written.
#[derive(Debug)]
pub struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        // The request's body may have left bytes behind that are no head.
        self.0.partial.store(false, Relaxed);
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

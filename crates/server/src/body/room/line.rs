//! Who waits for some of a room, and in which order they get it.
//!
//! They get it as they came, so that nobody who wants much is overtaken by those who want little. But whoever has some already
//! and wants more comes first: the others wait for it to end. And whoever holds as much as there is left is passed by until
//! others have given some back: the more there are, the less each has, and there is always some for who has none.

use std::{
    collections::VecDeque,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{
    OwnedSemaphorePermit, Semaphore,
    oneshot::{self, Receiver, Sender},
};

/// What somebody wants of the room.
pub(super) struct Wanted {
    /// The widest of the sender's parts, of which the amount is taken already.
    pub(super) part: Arc<Semaphore>,
    /// How large that part is.
    pub(super) wide: usize,
    /// How much is wanted.
    pub(super) amount: u32,
    /// Whether the sender's body has some already.
    pub(super) is_more: bool,
}

impl Wanted {
    /// Whether those who share the part have as much as is free, or more.
    fn has_enough(&self, free: usize) -> bool {
        let not_held = self.part.available_permits() + self.amount as usize;
        let held = self.wide.saturating_sub(not_held);
        held > 0 && held >= free
    }
}

/// Those who wait.
pub(super) struct Line {
    free: Arc<Semaphore>,
    /// Those who have some already, then the others.
    waiting: Mutex<VecDeque<Waiter>>,
}

struct Waiter {
    wanted: Wanted,
    given: Sender<OwnedSemaphorePermit>,
}

/// A place in the line.
struct Place<'a> {
    line: &'a Line,
    given: Receiver<OwnedSemaphorePermit>,
}

impl Line {
    /// Shares out what is free.
    pub(super) fn new(free: Arc<Semaphore>) -> Self {
        Self {
            free,
            waiting: Mutex::default(),
        }
    }

    /// Waits for what is wanted.
    pub(super) async fn wait(&self, wanted: Wanted) -> OwnedSemaphorePermit {
        let mut place = self.stand(wanted);
        self.serve();
        match (&mut place.given).await {
            Ok(permit) => permit,
            // INVARIANT: whoever is taken from the line is given what it wants, or has left.
            Err(_) => pending().await,
        }
    }

    fn stand(&self, wanted: Wanted) -> Place<'_> {
        let (sender, given) = oneshot::channel();
        let mut waiting = self.waiting();
        let at = if wanted.is_more {
            waiting.partition_point(|waiter| waiter.wanted.is_more)
        } else {
            waiting.len()
        };
        let waiter = Waiter {
            wanted,
            given: sender,
        };
        waiting.insert(at, waiter);
        Place { line: self, given }
    }

    /// Gives what is free to those whose turn it is.
    pub(super) fn serve(&self) {
        let mut waiting = self.waiting();
        let mut at = 0;
        while let Some(next) = waiting.get(at) {
            if next.given.is_closed() {
                waiting.remove(at);
            } else if next.wanted.has_enough(self.free.available_permits()) {
                at += 1;
            } else {
                let free = self.free.clone();
                let Ok(permit) = free.try_acquire_many_owned(next.wanted.amount) else {
                    return;
                };
                if let Some(next) = waiting.remove(at) {
                    // Whoever has just left gives it back by that.
                    let _ = next.given.send(permit);
                }
            }
        }
    }

    /// A panic elsewhere leaves the line whole.
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Waiter>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    /// Whoever leaves without what it waited for lets others on.
    fn drop(&mut self) {
        self.given.close();
        drop(self.given.try_recv());
        self.line.serve();
    }
}

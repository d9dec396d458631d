//! Who waits for some of a room, and in which order they get it.
//!
//! They get it as they came, so that nobody who wants much is overtaken by those who want little. But whoever has some already
//! and wants more comes first: the others wait for it to end. And whoever holds as much as there is left is passed by until
//! others have given some back: the more there are, the less each has, and there is always some for who has none.

use std::{
    collections::VecDeque,
    future::pending,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::sync::{
    OwnedSemaphorePermit, Semaphore,
    oneshot::{self, Receiver, Sender},
};

/// What those who belong together may have of a room.
#[derive(Debug)]
pub(super) struct Part {
    /// How large it is: its holders take and wait for some of it first.
    pub(super) size: Arc<Semaphore>,
    /// How much they were given of all.
    given: AtomicUsize,
}

impl Part {
    pub(super) fn new(size: usize) -> Self {
        Self {
            size: Arc::new(Semaphore::new(size)),
            given: AtomicUsize::new(0),
        }
    }
}

/// Some of all, given to the holders of a part.
#[derive(Debug)]
pub(super) struct Given {
    permit: OwnedSemaphorePermit,
    part: Arc<Part>,
}

impl Given {
    pub(super) fn new(permit: OwnedSemaphorePermit, part: Arc<Part>) -> Self {
        part.given.fetch_add(permit.num_permits(), Relaxed);
        Self { permit, part }
    }

    /// Joins what the same part was given.
    pub(super) fn merge(&mut self, mut more: Self) {
        if let Some(permit) = more.permit.split(more.permit.num_permits()) {
            self.permit.merge(permit);
        }
    }
}

impl Drop for Given {
    /// Before it is free again, so that nobody is passed by for it any more.
    fn drop(&mut self) {
        self.part
            .given
            .fetch_sub(self.permit.num_permits(), Relaxed);
    }
}

/// What somebody wants of the room.
pub(super) struct Wanted {
    /// The widest of the sender's parts, of which the amount is taken already.
    pub(super) part: Arc<Part>,
    /// How much is wanted.
    pub(super) amount: u32,
    /// Whether the sender's body has some already.
    pub(super) is_more: bool,
}

impl Wanted {
    /// Whether those who share the part have as much as is free, or more. What they wait for they have not.
    fn has_enough(&self, free: usize) -> bool {
        let held = self.part.given.load(Relaxed);
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
    given: Sender<Given>,
}

/// A place in the line.
struct Place<'a> {
    line: &'a Line,
    given: Receiver<Given>,
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
    pub(super) async fn wait(&self, wanted: Wanted) -> Given {
        let mut place = self.stand(wanted);
        self.serve();
        match (&mut place.given).await {
            Ok(given) => given,
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
                    let _ = next.given.send(Given::new(permit, next.wanted.part));
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

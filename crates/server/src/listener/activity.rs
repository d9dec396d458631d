//! What a connection is doing, as its stream, its service and its driver see it together.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    body::{room::Taken, waiting::Waiting},
    reply::Held,
};

/// Shared by the parts of one connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    moved: AtomicBool,
    blocked: AtomicBool,
    ended: AtomicBool,
    partial: AtomicBool,
    in_flight: AtomicUsize,
    /// Its bodies that wait, unread, for room.
    waiting: Waiting,
    /// Answers of which all was handed over to be written: since the last check, and before it, by turns.
    leaving: [AtomicUsize; 2],
    checks: AtomicUsize,
    /// When the last answer was given that is in memory and not wholly written.
    answered: Mutex<Option<Instant>>,
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
            && self.has_no_requests()
    }

    /// Whether no request is in flight.
    pub(super) fn has_no_requests(&self) -> bool {
        self.in_flight.load(Relaxed) == 0
    }

    /// Whether nothing is in flight but answers that were wholly handed over, which the peer does not take.
    pub(super) fn only_leaves(&self) -> bool {
        let leaving: usize = self.leaving.iter().map(|n| n.load(Relaxed)).sum();
        self.in_flight.load(Relaxed) <= leaving
    }

    /// Whether an answer was wholly handed over before the last call of this, and is not written yet.
    pub(super) fn is_stuck(&self) -> bool {
        let next = self.checks.fetch_add(1, Relaxed) + 1;
        self.leaving[next % 2].load(Relaxed) > 0
    }

    /// Whether the last answer is in memory for so long already.
    pub(super) fn is_answered_for(&self, time: Duration) -> bool {
        self.answered().is_some_and(|since| since.elapsed() >= time)
    }

    /// A panic elsewhere leaves the time whole.
    fn answered(&self) -> MutexGuard<'_, Option<Instant>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request's head is complete; it is in flight until the guard goes.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.partial.store(false, Relaxed);
        let before = self.in_flight.fetch_add(1, Relaxed);
        InFlight {
            activity: self.clone(),
            is_alone: before == 0,
            leaving: None,
            place: None,
            memory: None,
            answered: None,
        }
    }
}

/// A request whose answer is not wholly written.
#[derive(Debug)]
pub struct InFlight {
    activity: Arc<Activity>,
    is_alone: bool,
    /// Where it is counted once all of the answer was handed over.
    leaving: Option<usize>,
    /// Its place among the requests that connections have beyond their first.
    place: Option<Taken>,
    /// The memory of its answer.
    memory: Option<Held>,
    /// When its answer was given, if that is in memory.
    answered: Option<Instant>,
}

impl InFlight {
    /// Whether its connection had no other when it began.
    pub(crate) fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Where the bodies of its connection wait for room.
    pub(crate) fn waiting(&self) -> Waiting {
        self.activity.waiting.clone()
    }

    /// Keeps a place among the requests beyond connections' first.
    pub(crate) fn keep_place(&mut self, place: Taken) {
        self.place = Some(place);
    }

    /// Keeps the memory that its answer takes.
    pub(crate) fn keep_memory(&mut self, memory: Option<Held>) {
        self.memory = memory;
    }

    /// Notes that its answer is given, all of it in memory.
    pub(crate) fn answer(&mut self) {
        self.answered = Some(Instant::now());
        *self.activity.answered() = self.answered;
    }

    /// Ties the request to the last bytes of its answer: it is in flight until those are written or dropped. What it has of
    /// memory is kept as long, if they are all of the answer.
    pub(crate) fn leave_with(mut self, last: Bytes, are_all: bool) -> Bytes {
        if !are_all {
            self.memory = None;
        }
        let slot = self.activity.checks.load(Relaxed) % 2;
        self.activity.leaving[slot].fetch_add(1, Relaxed);
        self.leaving = Some(slot);
        Bytes::from_owner(Last { last, _of: self })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(slot) = self.leaving {
            self.activity.leaving[slot].fetch_sub(1, Relaxed);
        }
        if self.answered.is_some() {
            // Unless the next one has been answered already.
            self.activity
                .answered()
                .take_if(|since| Some(*since) == self.answered);
        }
        // The request's body may have left bytes behind that are no head.
        self.activity.partial.store(false, Relaxed);
        self.activity.in_flight.fetch_sub(1, Relaxed);
    }
}

struct Last {
    last: Bytes,
    _of: InFlight,
}

impl AsRef<[u8]> for Last {
    fn as_ref(&self) -> &[u8] {
        &self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_in_flight_until_its_last_byte_is_dropped() {
        let activity = Arc::new(Activity::default());
        let last = activity
            .begin()
            .leave_with(Bytes::from_static(b"last"), true);
        let part = last.slice(..1);
        drop(last);
        assert!(!activity.has_no_requests() && activity.only_leaves());
        drop(part);
        assert!(activity.has_no_requests());
    }

    #[test]
    fn an_answer_in_memory_is_timed_until_it_is_written_and_not_by_the_end_of_another() {
        let activity = Arc::new(Activity::default());
        let is_timed = || activity.is_answered_for(Duration::ZERO);
        let (mut first, mut second) = (activity.begin(), activity.begin());
        first.answer();
        assert!(is_timed() && !activity.is_answered_for(Duration::from_hours(1)));
        second.answer();
        drop(first);
        assert!(is_timed());
        drop(second);
        assert!(!is_timed());
    }

    #[test]
    fn an_answer_that_was_handed_over_before_the_last_check_is_stuck() {
        let activity = Arc::new(Activity::default());
        assert!(!activity.is_stuck());
        let slow = activity.begin();
        assert!(!activity.is_stuck() && !activity.is_stuck());
        let last = slow.leave_with(Bytes::from_static(b"last"), true);
        assert!(!activity.is_stuck());
        assert!(activity.is_stuck());
        drop(last);
        assert!(!activity.is_stuck());
    }
}

//! The streams of HTTP/2 connections: answers are handed over in small frames, and a stream of which nothing is taken is
//! reset.
//!
//! A closed window blocks a stream, not the socket, so the socket's own limit does not see it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper::rt::Executor;
use tokio::time::{Instant, sleep_until};

/// The largest frame that is handed over at a time. Of each stream one is on its way and one waits.
pub(crate) const FRAME: usize = 64 * 1024;

tokio::task_local! {
    static PROGRESS: Progress;
}

/// When something of the answer was last asked for; nothing as long as there is no answer.
#[derive(Clone, Debug, Default)]
struct Progress(Arc<Mutex<Option<Instant>>>);

/// Runs the streams of HTTP/2 connections.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    stall: Duration,
}

impl Streams {
    /// A stream of which nothing is taken for `stall` is reset.
    pub(super) fn new(stall: Duration) -> Self {
        Self { stall }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let (stall, progress) = (self.stall, Progress::default());
        tokio::spawn(async move {
            let answered = PROGRESS.scope(progress.clone(), stream);
            tokio::select! {
                biased;
                () = answered => {}
                // What is dropped before its end is reset.
                () = progress.stalled(stall) => tracing::debug!("nothing of an answer was taken in time"),
            }
        });
    }
}

impl Progress {
    fn last(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn made(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Waits until an answer has begun and nothing of it was asked for in time.
    async fn stalled(&self, stall: Duration) {
        loop {
            let now = Instant::now();
            let due = self.last().unwrap_or(now) + stall;
            if due <= now {
                return;
            }
            sleep_until(due).await;
        }
    }
}

/// How many bytes the body of an answer hands over now, at most. On an HTTP/2 stream, asking means that the last ones are
/// on their way.
pub(crate) fn largest_frame() -> usize {
    PROGRESS
        .try_with(Progress::made)
        .map_or(usize::MAX, |()| FRAME)
}

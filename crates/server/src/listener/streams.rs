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

/// Since when a part of the answer waits for the client; nothing as long as the client waits for the server.
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

    fn made(&self, handed_over: bool) {
        let since = handed_over.then(Instant::now);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Waits until the client was given something and has not asked for more in time.
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

/// How many bytes the body of an answer hands over now, at most.
pub(crate) fn largest_frame() -> usize {
    PROGRESS.try_with(|_| FRAME).unwrap_or(usize::MAX)
}

/// The body of an answer was asked for more, which on an HTTP/2 stream means that the last of it is on its way. If it could
/// not hand anything over, it is the server that is slow.
pub(crate) fn handed_over(something: bool) {
    // HTTP/1 has no streams.
    let _ = PROGRESS.try_with(|progress| progress.made(something));
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::{sync::oneshot, time::sleep};

    use super::*;

    const STALL: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn a_client_that_waits_for_the_server_is_not_sent_away() {
        let (done, is_done) = oneshot::channel();
        Streams::new(STALL).execute(async move {
            handed_over(true);
            handed_over(false);
            sleep(3 * STALL).await;
            done.send(()).unwrap();
        });
        is_done.await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_sent_away() {
        let (done, is_done) = oneshot::channel::<()>();
        Streams::new(STALL).execute(async move {
            handed_over(true);
            pending::<()>().await;
            drop(done);
        });
        is_done.await.unwrap_err();
    }
}

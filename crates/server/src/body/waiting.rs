//! Bodies of one connection that wait, unread, for room.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::Poll,
    time::Duration,
};

use longshore_registry::Error;

/// How many may wait at a time. Each fills a quarter of an HTTP/2 connection's window (`listener/http2.rs`); with one more
/// nothing would come in any more, not even what is waited for.
const MOST: usize = 3;

/// The bodies of one connection that wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting(Arc<AtomicUsize>);

/// One of them.
struct Place(Waiting);

impl Waiting {
    /// Waits for room, unless so many do already that the connection would stand still: those are throttled at once.
    pub(crate) async fn for_room<T>(
        &self,
        room: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut room = pin!(room);
        let at_once = poll_fn(|cx| Poll::Ready(room.as_mut().poll(cx)));
        if let Poll::Ready(given) = at_once.await {
            return given;
        }
        let _place = self.take()?;
        room.await
    }

    fn take(&self) -> Result<Place, Error> {
        let one_more = |waiting| (waiting < MOST).then_some(waiting + 1);
        match self.0.fetch_update(Relaxed, Relaxed, one_more) {
            Ok(_) => Ok(Place(self.clone())),
            Err(_) => Err(Error::Throttled(Duration::from_secs(1))),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn one_too_many_is_throttled_and_what_need_not_wait_is_not() {
        let waiting = Waiting::default();
        let wait = || {
            let waiting = waiting.clone();
            tokio::spawn(async move { waiting.for_room(pending::<Result<(), Error>>()).await })
        };
        let mut held = Vec::new();
        for begun in 1..=MOST {
            held.push(wait());
            while waiting.0.load(Relaxed) < begun {
                tokio::task::yield_now().await;
            }
        }
        let refused = waiting.for_room(pending::<Result<(), Error>>()).await;
        assert!(matches!(refused, Err(Error::Throttled(_))));
        waiting.for_room(ready(Ok(()))).await.unwrap();
        held.remove(0).abort();
        while waiting.0.load(Relaxed) == MOST {
            tokio::task::yield_now().await;
        }
        let again = waiting.for_room(async {
            tokio::task::yield_now().await;
            Ok(())
        });
        again.await.unwrap();
        held.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

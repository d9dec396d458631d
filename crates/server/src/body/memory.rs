//! Memory for bodies that are kept whole, bounded for all of them together.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use longshore_registry::Error;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// How many bytes of whole bodies are held at a time. The largest body of all is 12 MiB.
const BYTES: usize = 32 * 1024 * 1024;
/// How many bytes of bodies that nobody signs are held at a time; such a body has a few thousand.
const BYTES_OF_STRANGERS: usize = 2 * 1024 * 1024;

/// What is left of the memory.
#[derive(Clone)]
pub struct BodyMemory {
    free: Arc<Semaphore>,
    wait: Duration,
}

impl BodyMemory {
    /// 32 MiB; a body that finds them taken waits, unread, for `wait` and is then throttled.
    pub fn new(wait: Duration) -> Self {
        Self::of(BYTES, wait)
    }

    /// 2 MiB for bodies that nobody signs.
    pub(super) fn of_strangers(wait: Duration) -> Self {
        Self::of(BYTES_OF_STRANGERS, wait)
    }

    fn of(bytes: usize, wait: Duration) -> Self {
        Self {
            free: Arc::new(Semaphore::new(bytes)),
            wait,
        }
    }

    /// How many bytes of it are free.
    pub(crate) fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// Takes room for a body of which nothing has come yet.
    pub(super) fn claim(&self) -> Claim {
        Claim {
            memory: self.clone(),
            taken: None,
        }
    }
}

impl fmt::Debug for BodyMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyMemory")
            .field("free", &self.free())
            .finish_non_exhaustive()
    }
}

/// The room of one body, which grows by what really comes: announcing much takes nothing from others.
pub(super) struct Claim {
    memory: BodyMemory,
    taken: Option<OwnedSemaphorePermit>,
}

impl Claim {
    /// Takes room for `bytes` more.
    pub(super) async fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        let bytes = u32::try_from(bytes).map_err(Error::internal)?;
        let more = self.memory.free.clone().acquire_many_owned(bytes);
        let Ok(Ok(more)) = timeout(self.memory.wait, more).await else {
            return Err(Error::Throttled(Duration::from_secs(1)));
        };
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        Ok(())
    }

    /// Ties the room to the body: it is free again when the last of its bytes is dropped.
    pub(super) fn hold(self, body: Bytes) -> Bytes {
        match self.taken {
            Some(room) => Bytes::from_owner(Held { body, _room: room }),
            None => body,
        }
    }
}

struct Held {
    body: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_is_taken_as_bytes_come_and_given_back_with_the_last_of_them() {
        let memory = BodyMemory::of(10, Duration::from_millis(10));
        let mut claim = memory.claim();
        claim.grow(4).await.unwrap();
        claim.grow(2).await.unwrap();
        let body = claim.hold(Bytes::from_static(b"sixsix"));
        let part = body.slice(..1);
        drop(body);
        assert_eq!(memory.free(), 4);
        drop(part);
        assert_eq!(memory.free(), 10);
    }

    #[tokio::test]
    async fn a_body_too_many_is_throttled_and_what_it_had_is_free() {
        let memory = BodyMemory::of(10, Duration::from_millis(10));
        let (mut first, mut second) = (memory.claim(), memory.claim());
        first.grow(8).await.unwrap();
        second.grow(2).await.unwrap();
        assert!(matches!(second.grow(1).await, Err(Error::Throttled(_))));
        drop(second);
        first.grow(2).await.unwrap();
    }
}

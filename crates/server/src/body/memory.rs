//! Memory for bodies that are kept whole, bounded for all of them together.

use std::{fmt, time::Duration};

use bytes::Bytes;
use longshore_registry::Error;

use super::room::{Room, Standing, Taken};

/// How many bytes of whole bodies are held at a time.
const BYTES: usize = 32 * 1024 * 1024;
/// How many of those are of senders who have proven nothing: enough for the largest body of all.
const BYTES_OF_UNPROVEN: usize = 12 * 1024 * 1024;
/// How many bytes of bodies that nobody signs are held at a time; such a body has a few thousand.
const BYTES_OF_STRANGERS: usize = 2 * 1024 * 1024;

/// What is left of the memory.
#[derive(Clone)]
pub struct BodyMemory(Room);

impl BodyMemory {
    /// 32 MiB; a body that finds them taken waits, unread, for `wait` and is then throttled.
    pub fn new(wait: Duration) -> Self {
        Self(Room::new(BYTES, BYTES_OF_UNPROVEN, wait))
    }

    /// 2 MiB for bodies that nobody signs.
    pub(super) fn of_strangers(wait: Duration) -> Self {
        Self(Room::new(BYTES_OF_STRANGERS, BYTES_OF_STRANGERS, wait))
    }

    /// How many bytes of it are free.
    pub(crate) fn free(&self) -> usize {
        self.0.free()
    }

    /// Takes room for a body of which nothing has come yet.
    pub(super) fn claim(&self, standing: Standing) -> Claim {
        Claim {
            room: self.0.clone(),
            standing,
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
    room: Room,
    standing: Standing,
    taken: Option<Taken>,
}

impl Claim {
    /// Takes room for `bytes` more.
    pub(super) async fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        let more = self.room.take(bytes, self.standing).await?;
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
    _room: Taken,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> BodyMemory {
        BodyMemory(Room::new(10, 4, Duration::from_millis(10)))
    }

    #[tokio::test]
    async fn room_is_taken_as_bytes_come_and_given_back_with_the_last_of_them() {
        let memory = memory();
        let mut claim = memory.claim(Standing::Proven);
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
        let memory = memory();
        let (mut first, mut second) = (
            memory.claim(Standing::Proven),
            memory.claim(Standing::Proven),
        );
        first.grow(8).await.unwrap();
        second.grow(2).await.unwrap();
        assert!(matches!(second.grow(1).await, Err(Error::Throttled(_))));
        drop(second);
        first.grow(2).await.unwrap();
    }
}

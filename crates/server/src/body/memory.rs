//! Memory for bodies that are kept whole, bounded for all of them together.

use std::{fmt, time::Duration};

use bytes::Bytes;
use longshore_registry::Error;

use super::room::{Room, Sender, Shares, Taken};

/// Bytes of whole bodies that are held at a time. The largest body of all, 12 MiB, fits into the smallest share; two
/// accounts and all those who have proven nothing leave something to a third.
const LARGE: Shares = Shares {
    all: 52 * 1024 * 1024,
    account: 18 * 1024 * 1024,
    principal: 12 * 1024 * 1024,
    unproven: 12 * 1024 * 1024,
    network: 12 * 1024 * 1024,
};
/// The same of bodies that announce little, as nearly all do: they never wait behind large ones.
const SMALL: Shares = Shares {
    all: 4 * 1024 * 1024,
    account: 3 * 1024 * 1024,
    principal: 2 * 1024 * 1024,
    unproven: 1024 * 1024,
    network: 256 * 1024,
};
/// What is little.
pub(crate) const LITTLE: usize = 64 * 1024;
/// Bytes of bodies that nobody signs; such a body has a few thousand.
const OF_STRANGERS: Shares = Shares {
    all: 2 * 1024 * 1024,
    account: 0,
    principal: 0,
    unproven: 2 * 1024 * 1024,
    network: 512 * 1024,
};

/// What is left of the memory.
#[derive(Clone)]
pub struct BodyMemory {
    large: Room,
    small: Room,
}

impl BodyMemory {
    /// 52 MiB and 4 MiB for small bodies; one that finds them taken waits, unread, for `wait` and is then throttled.
    pub fn new(wait: Duration) -> Self {
        Self {
            large: Room::new(LARGE, wait),
            small: Room::new(SMALL, wait),
        }
    }

    /// 2 MiB for bodies that nobody signs.
    pub(super) fn of_strangers(wait: Duration) -> Self {
        let room = Room::new(OF_STRANGERS, wait);
        Self {
            large: room.clone(),
            small: room,
        }
    }

    /// How many bytes are free for bodies that are not small.
    pub(crate) fn free(&self) -> usize {
        self.large.free()
    }

    /// How many bytes are free for small bodies.
    pub(crate) fn free_for_small(&self) -> usize {
        self.small.free()
    }

    /// Lets a body in of which nothing has come yet. What does not announce its length is not small.
    pub(super) async fn claim(
        &self,
        announced: Option<usize>,
        sender: &Sender,
    ) -> Result<Claim, Error> {
        let room = match announced {
            Some(length) if length <= LITTLE => &self.small,
            Some(_) | None => &self.large,
        };
        let taken = room.enter(announced.unwrap_or_default(), sender).await?;
        Ok(Claim(taken))
    }
}

impl fmt::Debug for BodyMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyMemory")
            .field("large", &self.large)
            .field("small", &self.small)
            .finish()
    }
}

/// The room of one body, which grows by what really comes: announcing much takes nothing from others.
pub(super) struct Claim(Taken);

impl Claim {
    /// Takes room for `bytes` more.
    pub(super) async fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        self.0.grow(bytes).await
    }

    /// Ties the room to the body: it is free again when the last of its bytes is dropped.
    pub(super) fn hold(self, body: Bytes) -> Bytes {
        Bytes::from_owner(Held {
            body,
            _room: self.0,
        })
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

    const MIB: usize = 1024 * 1024;

    fn sender(principal: &str) -> Sender {
        Sender::Proven {
            account: "1".to_owned(),
            principal: principal.to_owned(),
        }
    }

    #[tokio::test]
    async fn room_is_taken_as_bytes_come_and_given_back_with_the_last_of_them() {
        let memory = BodyMemory::new(Duration::from_millis(10));
        let mut claim = memory.claim(None, &sender("a")).await.unwrap();
        let all = memory.free();
        claim.grow(4).await.unwrap();
        claim.grow(2).await.unwrap();
        let body = claim.hold(Bytes::from_static(b"sixsix"));
        let part = body.slice(..1);
        drop(body);
        assert_eq!(memory.free(), all - 6);
        drop(part);
        assert_eq!(memory.free(), all);
    }

    #[tokio::test]
    async fn a_small_body_does_not_wait_behind_large_ones() {
        let memory = BodyMemory::new(Duration::from_millis(10));
        let mut large = memory.claim(Some(12 * MIB), &sender("a")).await.unwrap();
        large.grow(12 * MIB).await.unwrap();
        let refused = memory.claim(Some(LITTLE + 1), &sender("a")).await;
        assert!(matches!(refused.err(), Some(Error::Throttled(_))));
        let mut small = memory.claim(Some(LITTLE), &sender("a")).await.unwrap();
        small.grow(LITTLE).await.unwrap();
    }

    #[tokio::test]
    async fn two_accounts_and_whoever_has_proven_nothing_leave_room_to_a_third() {
        let memory = BodyMemory::new(Duration::from_millis(10));
        let mut held = Vec::new();
        for (account, principal) in [("1", "a"), ("1", "b"), ("2", "c"), ("2", "d")] {
            let sender = Sender::Proven {
                account: account.to_owned(),
                principal: principal.to_owned(),
            };
            for length in [12 * MIB, 4 * MIB] {
                if let Ok(mut claim) = memory.claim(Some(length), &sender).await {
                    claim.grow(length).await.unwrap();
                    held.push(claim);
                }
            }
        }
        let stranger = Sender::unproven([192, 0, 2, 1].into());
        let mut strange = memory.claim(Some(12 * MIB), &stranger).await.unwrap();
        strange.grow(12 * MIB).await.unwrap();
        let third = Sender::Proven {
            account: "3".to_owned(),
            principal: "e".to_owned(),
        };
        let mut third = memory.claim(Some(4 * MIB), &third).await.unwrap();
        third.grow(4 * MIB).await.unwrap();
    }
}

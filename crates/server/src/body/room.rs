//! Room for what comes in before it is known what it is good for: bounded for all together, and so shared out that whoever
//! fills their part holds up nobody else, and whoever has proven nothing nobody but their like.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use longshore_registry::{Error, principal::Known};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// How many senders' parts are remembered before those that nobody holds are looked for.
const REMEMBERED: usize = 1024;

/// Who sends a body that must be read before it is known what it is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// Somebody who was right lately, from where they are; or of whom nothing has to be checked any more.
    Proven {
        /// The account.
        account: String,
        /// The principal's id.
        principal: String,
    },
    /// It may be anybody who has heard of an access key's id.
    Unproven,
}

impl Sender {
    /// A principal who has proven to be it.
    pub(crate) fn proven(known: &Known) -> Self {
        Self::Proven {
            account: known.account.to_string(),
            principal: known.id.clone(),
        }
    }
}

/// Whose part of the room. A root user's id is its account's.
#[derive(PartialEq, Eq, Hash)]
enum Whose {
    Account(String),
    Principal(String),
}

/// How much there is, and who may have how much of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shares {
    /// All of it.
    pub(crate) all: usize,
    /// What one account may have.
    pub(crate) account: usize,
    /// What one principal may have.
    pub(crate) principal: usize,
    /// What all those who have proven nothing may have together.
    pub(crate) unproven: usize,
}

/// A bounded amount, shared out among senders.
#[derive(Clone)]
pub(crate) struct Room(Arc<Inner>);

struct Inner {
    shares: Shares,
    free: Arc<Semaphore>,
    for_unproven: Arc<Semaphore>,
    /// Parts of accounts and principals, for as long as somebody holds or awaits some of it.
    parts: Mutex<HashMap<Whose, Weak<Semaphore>>>,
    wait: Duration,
}

impl Room {
    /// Whoever finds it taken waits for `wait`.
    pub(crate) fn new(shares: Shares, wait: Duration) -> Self {
        Self(Arc::new(Inner {
            shares,
            free: Arc::new(Semaphore::new(shares.all)),
            for_unproven: Arc::new(Semaphore::new(shares.unproven)),
            parts: Mutex::default(),
            wait,
        }))
    }

    /// How much is free.
    pub(crate) fn free(&self) -> usize {
        self.0.free.available_permits()
    }

    /// Lets a sender in who will take up to `most`: it waits for so much of its own part, where it stands in nobody's way.
    /// Fails with [`Error::Throttled`] when it is not free in time.
    pub(crate) async fn enter(&self, most: usize, sender: &Sender) -> Result<Taken, Error> {
        let mut taken = Taken {
            room: self.clone(),
            parts: Vec::new(),
            of_unproven: None,
            of_all: None,
        };
        match sender {
            Sender::Proven { account, principal } => {
                let shares = self.0.shares;
                let most = most.min(shares.principal);
                for (whose, size) in [
                    (Whose::Principal(principal.clone()), shares.principal),
                    (Whose::Account(account.clone()), shares.account),
                ] {
                    let part = self.0.part(whose, size);
                    taken.parts.push(self.acquire(&part, most).await?);
                }
            }
            // What they announce is worth nothing: they wait for what comes.
            Sender::Unproven => {
                taken.of_unproven = Some(self.acquire(&self.0.for_unproven, 0).await?);
            }
        }
        Ok(taken)
    }

    async fn acquire(
        &self,
        semaphore: &Arc<Semaphore>,
        amount: usize,
    ) -> Result<OwnedSemaphorePermit, Error> {
        let amount = u32::try_from(amount).map_err(Error::internal)?;
        let acquired = semaphore.clone().acquire_many_owned(amount);
        match timeout(self.0.wait, acquired).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Error::Throttled(Duration::from_secs(1))),
        }
    }
}

impl Inner {
    fn part(&self, whose: Whose, size: usize) -> Arc<Semaphore> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = parts.get(&whose).and_then(Weak::upgrade) {
            return part;
        }
        if parts.len() >= REMEMBERED {
            parts.retain(|_, part| part.strong_count() > 0);
        }
        let part = Arc::new(Semaphore::new(size));
        parts.insert(whose, Arc::downgrade(&part));
        part
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Room({} free)", self.free())
    }
}

/// Some of the room, which is free again when this goes.
#[derive(Debug)]
pub(crate) struct Taken {
    room: Room,
    parts: Vec<OwnedSemaphorePermit>,
    of_unproven: Option<OwnedSemaphorePermit>,
    of_all: Option<OwnedSemaphorePermit>,
}

impl Taken {
    /// Takes so much more of it; fails with [`Error::Throttled`] when it is not free in time.
    pub(crate) async fn grow(&mut self, amount: usize) -> Result<(), Error> {
        let room = &self.room;
        if let Some(of_unproven) = &mut self.of_unproven {
            of_unproven.merge(room.acquire(&room.0.for_unproven, amount).await?);
        }
        let more = room.acquire(&room.0.free, amount).await?;
        match &mut self.of_all {
            Some(of_all) => of_all.merge(more),
            None => self.of_all = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Sender::Unproven, *};

    const SHARES: Shares = Shares {
        all: 10,
        account: 6,
        principal: 4,
        unproven: 4,
    };

    fn room() -> Room {
        Room::new(SHARES, Duration::from_millis(10))
    }

    fn sender(account: &str, principal: &str) -> Sender {
        Sender::Proven {
            account: account.to_owned(),
            principal: principal.to_owned(),
        }
    }

    async fn take(room: &Room, amount: usize, sender: &Sender) -> Result<Taken, Error> {
        let mut taken = room.enter(amount, sender).await?;
        taken.grow(amount).await?;
        Ok(taken)
    }

    #[tokio::test]
    async fn what_is_taken_is_free_again_when_it_goes() {
        let room = room();
        let mut taken = take(&room, 3, &Unproven).await.unwrap();
        taken.grow(1).await.unwrap();
        assert_eq!(room.free(), 6);
        let refused = take(&room, 1, &Unproven).await;
        assert!(matches!(refused, Err(Error::Throttled(_))));
        drop(taken);
        assert_eq!(room.free(), 10);
        take(&room, 4, &Unproven).await.unwrap();
    }

    #[tokio::test]
    async fn the_unproven_leave_room_to_the_proven_and_not_the_other_way_round() {
        let room = room();
        let held = take(&room, 4, &Unproven).await.unwrap();
        let a = take(&room, 4, &sender("1", "a")).await.unwrap();
        let b = take(&room, 2, &sender("2", "b")).await.unwrap();
        drop(held);
        let c = take(&room, 4, &sender("3", "c")).await.unwrap();
        assert!(take(&room, 1, &Unproven).await.is_err());
        drop((a, b, c));
        // Those who waited in vain have left nothing behind.
        take(&room, 4, &Unproven).await.unwrap();
    }

    #[tokio::test]
    async fn a_principal_leaves_room_to_its_account_and_that_to_others() {
        let room = room();
        let _first = take(&room, 4, &sender("1", "a")).await.unwrap();
        assert!(take(&room, 1, &sender("1", "a")).await.is_err());
        let _second = take(&room, 2, &sender("1", "b")).await.unwrap();
        assert!(take(&room, 1, &sender("1", "c")).await.is_err());
        take(&room, 4, &sender("2", "d")).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_announced_is_taken_from_nobody_else() {
        let room = room();
        let _announced = room.enter(4, &sender("1", "a")).await.unwrap();
        assert_eq!(room.free(), 10);
        assert!(room.enter(1, &sender("1", "a")).await.is_err());
    }

    #[tokio::test]
    async fn the_unproven_who_wait_stand_in_nobodys_way() {
        let room = Room::new(SHARES, Duration::from_mins(1));
        let _held = take(&room, 4, &Unproven).await.unwrap();
        let waiting = room.clone();
        let waiting = tokio::spawn(async move { take(&waiting, 4, &Unproven).await });
        tokio::task::yield_now().await;
        take(&room, 4, &sender("1", "a")).await.unwrap();
        waiting.abort();
    }

    #[tokio::test]
    async fn parts_that_nobody_holds_are_forgotten() {
        let room = room();
        for at in 0..3 * REMEMBERED {
            let sender = sender("1", &at.to_string());
            take(&room, 1, &sender).await.unwrap();
        }
        assert!(room.0.parts.lock().unwrap().len() <= REMEMBERED + 1);
    }
}

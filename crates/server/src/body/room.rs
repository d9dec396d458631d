//! Room for what comes in before it is known whose it is: bounded for all together, and so shared out that whoever has
//! proven nothing holds up nobody but their like.

use std::{sync::Arc, time::Duration};

use longshore_registry::Error;
use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// What is known of whoever sends a body that must be read before its signature can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It was right lately, from where it is; or nothing has to be checked any more.
    Proven,
    /// It may be anybody who has heard of an access key's id.
    Unproven,
}

/// A bounded amount, of which the unproven have a part at most.
#[derive(Clone)]
pub(crate) struct Room {
    free: Arc<Semaphore>,
    for_unproven: Arc<Semaphore>,
    wait: Duration,
}

impl Room {
    /// `all` of it, of which the unproven take up to `for_unproven`. Whoever finds it taken waits for `wait`.
    pub(crate) fn new(all: usize, for_unproven: usize, wait: Duration) -> Self {
        Self {
            free: Arc::new(Semaphore::new(all)),
            for_unproven: Arc::new(Semaphore::new(for_unproven)),
            wait,
        }
    }

    /// How much is free for the proven.
    pub(crate) fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// Takes some; fails with [`Error::Throttled`] when there is not so much in time.
    pub(crate) async fn take(&self, amount: usize, standing: Standing) -> Result<Taken, Error> {
        let amount = u32::try_from(amount).map_err(Error::internal)?;
        let taken = async {
            // Their own part first: they wait for it where they stand in nobody's way.
            let unproven = match standing {
                Standing::Unproven => Some(acquire(&self.for_unproven, amount).await?),
                Standing::Proven => None,
            };
            let of_all = acquire(&self.free, amount).await?;
            Ok::<_, AcquireError>(Taken { of_all, unproven })
        };
        match timeout(self.wait, taken).await {
            Ok(Ok(taken)) => Ok(taken),
            Ok(Err(_)) | Err(_) => Err(Error::Throttled(Duration::from_secs(1))),
        }
    }
}

async fn acquire(
    semaphore: &Arc<Semaphore>,
    amount: u32,
) -> Result<OwnedSemaphorePermit, AcquireError> {
    semaphore.clone().acquire_many_owned(amount).await
}

/// Some of the room, which is free again when this goes.
#[derive(Debug)]
pub(crate) struct Taken {
    of_all: OwnedSemaphorePermit,
    unproven: Option<OwnedSemaphorePermit>,
}

impl Taken {
    /// Adds what was taken of the same room for the same sender.
    pub(crate) fn merge(&mut self, more: Self) {
        self.of_all.merge(more.of_all);
        if let (Some(unproven), Some(more)) = (&mut self.unproven, more.unproven) {
            unproven.merge(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Standing::{Proven, Unproven},
        *,
    };

    fn room() -> Room {
        Room::new(10, 4, Duration::from_millis(10))
    }

    #[tokio::test]
    async fn what_is_taken_is_free_again_when_it_goes() {
        let room = room();
        let mut taken = room.take(3, Unproven).await.unwrap();
        taken.merge(room.take(1, Unproven).await.unwrap());
        assert_eq!(room.free(), 6);
        assert!(matches!(
            room.take(1, Unproven).await,
            Err(Error::Throttled(_))
        ));
        drop(taken);
        assert_eq!(room.free(), 10);
        room.take(4, Unproven).await.unwrap();
    }

    #[tokio::test]
    async fn the_unproven_leave_room_to_the_proven_and_not_the_other_way_round() {
        let room = room();
        let held = room.take(4, Unproven).await.unwrap();
        assert!(room.take(1, Unproven).await.is_err());
        let all = room.take(6, Proven).await.unwrap();
        assert!(room.take(1, Proven).await.is_err());
        drop((held, all));
        let all = room.take(10, Proven).await.unwrap();
        assert!(room.take(1, Unproven).await.is_err());
        drop(all);
        // Those who waited in vain have left nothing behind.
        room.take(4, Unproven).await.unwrap();
    }

    #[tokio::test]
    async fn the_unproven_who_wait_stand_in_nobodys_way() {
        let room = Room::new(10, 4, Duration::from_mins(1));
        let _held = room.take(4, Unproven).await.unwrap();
        let waiting = room.clone();
        let waiting = tokio::spawn(async move { waiting.take(4, Unproven).await });
        tokio::task::yield_now().await;
        room.take(6, Proven).await.unwrap();
        waiting.abort();
    }
}

//! Places for connections, and for pulls, so shared out that the clients of one network never have the last of them.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use longshore_registry::rate::network;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many times as many places as are still free one network may have: alone it gets four fifths, a second one as
/// much of the rest, and there is always some left.
const TIMES_FREE: usize = 4;

/// Places.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    most: u32,
    networks: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Slots {
    /// So many, and one at least.
    pub(crate) fn new(most: usize) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self {
            free: Arc::new(Semaphore::new(most)),
            most: u32::try_from(most).unwrap_or(u32::MAX),
            networks: Arc::default(),
        }
    }

    /// Takes one for a client of its own.
    pub(crate) fn take(&self, client: IpAddr) -> Option<Slot> {
        self.take_for(network(client), TIMES_FREE)
    }

    /// Takes one for a proxy, which many clients share.
    pub(crate) fn take_for_proxy(&self, proxy: IpAddr) -> Option<Slot> {
        self.take_for(network(proxy), usize::MAX)
    }

    fn take_for(&self, network: IpAddr, times_free: usize) -> Option<Slot> {
        let place = self.free.clone().try_acquire_owned().ok()?;
        let n_free = self.free.available_permits() + 1;
        let mut networks = self.networks();
        let held = networks.get(&network).copied().unwrap_or_default();
        if held >= n_free.saturating_mul(times_free) {
            return None;
        }
        networks.insert(network, held + 1);
        drop(networks);
        Some(Slot {
            slots: self.clone(),
            network,
            _place: place,
        })
    }

    /// How many are not taken.
    pub(crate) fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// Waits until none is taken.
    pub(crate) async fn all_free(&self) {
        // It is never closed.
        drop(self.free.acquire_many(self.most).await);
    }

    /// A panic elsewhere leaves the counts whole.
    fn networks(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place, which is free again when this goes.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Slots,
    network: IpAddr,
    _place: OwnedSemaphorePermit,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut networks = self.slots.networks();
        if let Some(held) = networks.get_mut(&self.network) {
            *held -= 1;
            if *held == 0 {
                networks.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn fill(slots: &Slots, client: IpAddr) -> Vec<Slot> {
        std::iter::from_fn(|| slots.take(client)).collect()
    }

    #[test]
    fn one_network_leaves_a_fifth_and_the_next_a_fifth_of_that() {
        let slots = Slots::new(1000);
        let first = fill(&slots, from(1));
        assert_eq!(first.len(), 800);
        let second = fill(&slots, from(2));
        assert_eq!(second.len(), 160);
        assert!(slots.take(from(3)).is_some());
        drop(first);
        assert!(slots.take(from(2)).is_some());
        drop(second);
        assert_eq!(slots.free.available_permits(), 1000);
        assert!(slots.networks().is_empty());
    }

    #[test]
    fn a_proxy_may_have_all_of_them() {
        let slots = Slots::new(100);
        let held: Vec<_> = std::iter::from_fn(|| slots.take_for_proxy(from(1))).collect();
        assert_eq!(held.len(), 100);
        assert!(slots.take_for_proxy(from(2)).is_none());
    }

    #[test]
    fn where_there_are_few_one_network_may_have_them() {
        assert_eq!(fill(&Slots::new(0), from(1)).len(), 1);
        assert_eq!(fill(&Slots::new(2), from(1)).len(), 2);
    }
}

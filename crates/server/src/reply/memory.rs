//! Memory for answers that are whole before they are sent, bounded for all of them together: a client that does not read
//! is not given more and more of it.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use longshore_registry::rate::network;

/// How many bytes of answers may wait to be written.
const BYTES: usize = 64 * 1024 * 1024;
/// How many of those may wait for the clients of one network, unless it is a single answer.
const BYTES_OF_NETWORK: usize = 16 * 1024 * 1024;
/// An answer of so many bytes is always given: whoever only asks for a little never waits behind what is large.
const SMALL: usize = 16 * 1024;

/// What the answers on their way out take.
#[derive(Clone, Default)]
pub struct AnswerMemory(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    all: usize,
    networks: HashMap<IpAddr, usize>,
}

impl AnswerMemory {
    /// How many bytes of it are free.
    pub(crate) fn free(&self) -> usize {
        BYTES.saturating_sub(self.waiting().all)
    }

    /// Takes memory for an answer to a client; `None` when too much waits to be written already.
    pub(crate) fn hold(&self, client: IpAddr, bytes: usize) -> Option<Held> {
        let network = network(client);
        let mut waiting = self.waiting();
        let of_network = waiting.networks.get(&network).copied().unwrap_or_default();
        let fits = waiting.all + bytes <= BYTES
            && (of_network == 0 || of_network + bytes <= BYTES_OF_NETWORK);
        if !fits && bytes > SMALL {
            return None;
        }
        waiting.all += bytes;
        *waiting.networks.entry(network).or_default() += bytes;
        drop(waiting);
        Some(Held {
            memory: self.clone(),
            network,
            bytes,
        })
    }

    /// A panic elsewhere leaves the sums whole.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for AnswerMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnswerMemory({} free)", self.free())
    }
}

/// Memory of one answer, which is free again when this goes.
#[derive(Debug)]
pub(crate) struct Held {
    memory: AnswerMemory,
    network: IpAddr,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut waiting = self.memory.waiting();
        waiting.all -= self.bytes;
        if let Some(of_network) = waiting.networks.get_mut(&self.network) {
            *of_network -= self.bytes;
            if *of_network == 0 {
                waiting.networks.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn from(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn what_goes_is_free_again() {
        let memory = AnswerMemory::default();
        let held = memory.hold(from(1), MIB).unwrap();
        assert_eq!(memory.free(), BYTES - MIB);
        drop(held);
        assert_eq!(memory.free(), BYTES);
        assert!(memory.waiting().networks.is_empty());
    }

    #[test]
    fn one_network_takes_its_part_and_leaves_the_others() {
        let memory = AnswerMemory::default();
        let held: Vec<_> = (0..4)
            .map(|_| memory.hold(from(1), 4 * MIB).unwrap())
            .collect();
        assert!(memory.hold(from(1), MIB).is_none());
        assert!(memory.hold(from(1), SMALL).is_some());
        assert!(memory.hold(from(2), MIB).is_some());
        drop(held);
        assert!(memory.hold(from(1), MIB).is_some());
    }

    #[test]
    fn a_single_answer_may_be_larger_than_a_part_and_never_larger_than_all() {
        let memory = AnswerMemory::default();
        let large = memory.hold(from(1), 40 * MIB).unwrap();
        assert!(memory.hold(from(2), 40 * MIB).is_none());
        assert!(memory.hold(from(2), 24 * MIB).is_some());
        drop(large);
        assert!(memory.hold(from(2), BYTES + 1).is_none());
    }
}

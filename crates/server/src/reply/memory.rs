//! Memory for answers, bounded for all of them together: a client that does not read is not given more and more of it.

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use crate::body::room::{Room, Sender, Shares, Taken};

/// How many bytes of answers may wait to be written that are whole before they are sent. A single one may be larger than any
/// share but the whole.
const BYTES: Shares = Shares {
    all: 64 * 1024 * 1024,
    account: 20 * 1024 * 1024,
    principal: 16 * 1024 * 1024,
    unproven: 24 * 1024 * 1024,
    network: 8 * 1024 * 1024,
};
/// An answer of so many bytes is always given: whoever only asks for a little never waits behind what is large.
const SMALL: usize = 16 * 1024;
/// How many blobs may be on their way out. Each holds a buffer, of 64 KiB once there are many.
const DOWNLOADS: usize = 8192;

/// What the answers on their way out take.
#[derive(Clone)]
pub struct AnswerMemory {
    bytes: Room,
    downloads: Room,
}

impl AnswerMemory {
    /// How many bytes of it are free.
    pub(crate) fn free(&self) -> usize {
        self.bytes.free()
    }

    /// How many blobs more may be asked for.
    pub(crate) fn free_downloads(&self) -> usize {
        self.downloads.free()
    }

    /// Takes memory for an answer; `None` when too much waits to be written already.
    pub(crate) fn hold(&self, whose: &Sender, bytes: usize) -> Option<Held> {
        if bytes <= SMALL {
            return Some(Held { _taken: None });
        }
        self.bytes.try_take(bytes, whose).map(Held::of)
    }

    /// Takes the buffer of a blob; `None` when too many are on their way to a client's network, or to all. Whole accounts pull
    /// at the same time, so who it is does not matter.
    pub(crate) fn download(&self, client: IpAddr) -> Option<Held> {
        let network = Sender::unproven(client);
        self.downloads.try_take(1, &network).map(Held::of)
    }
}

impl Default for AnswerMemory {
    fn default() -> Self {
        let at_once = Duration::ZERO;
        Self {
            bytes: Room::new(BYTES, at_once),
            downloads: Room::new(Shares::of_networks(DOWNLOADS), at_once),
        }
    }
}

impl fmt::Debug for AnswerMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnswerMemory({} free)", self.free())
    }
}

/// Memory of one answer, which is free again when the last of this goes.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    _taken: Option<Arc<Taken>>,
}

impl Held {
    fn of(taken: Taken) -> Self {
        let taken = Some(Arc::new(taken));
        Self { _taken: taken }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn from(last: u8) -> Sender {
        Sender::unproven([192, 0, 2, last].into())
    }

    fn sender(account: &str) -> Sender {
        Sender::Proven {
            account: account.to_owned(),
            principal: account.to_owned(),
        }
    }

    #[test]
    fn what_goes_is_free_again() {
        let memory = AnswerMemory::default();
        let held = memory.hold(&from(1), MIB).unwrap();
        assert_eq!(memory.free(), BYTES.all - MIB);
        drop(held);
        assert_eq!(memory.free(), BYTES.all);
    }

    #[test]
    fn those_without_a_name_leave_memory_to_those_with_one_and_two_accounts_to_a_third() {
        let memory = AnswerMemory::default();
        let fill = |whose: Sender| -> Vec<_> {
            std::iter::from_fn(|| memory.hold(&whose, 4 * MIB)).collect()
        };
        let mut held: Vec<_> = (1..9).flat_map(|last| fill(from(last))).collect();
        assert!(memory.hold(&from(1), SMALL).is_some());
        held.extend(fill(sender("1")));
        held.extend(fill(sender("2")));
        assert!(memory.hold(&from(9), MIB).is_none());
        assert!(memory.hold(&sender("1"), 4 * MIB).is_none());
        assert!(memory.hold(&sender("3"), 4 * MIB).is_some());
        drop(held);
        assert!(memory.hold(&from(9), MIB).is_some());
    }

    #[test]
    fn one_network_leaves_downloads_to_others() {
        let memory = AnswerMemory::default();
        let client = [192, 0, 2, 1].into();
        let held: Vec<_> = std::iter::from_fn(|| memory.download(client)).collect();
        assert_eq!(held.len(), DOWNLOADS / 8);
        assert!(memory.download([192, 0, 2, 2].into()).is_some());
        drop(held);
        assert!(memory.download(client).is_some());
    }
}

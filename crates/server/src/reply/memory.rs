//! Memory for answers, bounded for all of them together: a client that does not read is not given more and more of it.

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use crate::{
    body::room::{Room, Sender, Shares, Taken, site},
    slots::{Slot, Slots},
};

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
/// How many blobs may be on their way out, where there is memory for them. A site that pulls alone has four fifths of it: a
/// cluster of thousands behind one address pulls an image at the same time.
const DOWNLOADS: u64 = 16_384;
/// How many bytes each of them takes: a buffer or two, of 64 KiB once there are many, and what the kernel keeps unsent
/// (measured with 10,000: docs/scaling.md).
const DOWNLOAD: u64 = 160 * 1024;
/// The part of the memory that they may take, so that those who pull never take the last of it.
const PART: u64 = 2;

/// What the answers on their way out take.
#[derive(Clone)]
pub struct AnswerMemory {
    bytes: Room,
    downloads: Slots,
}

impl AnswerMemory {
    /// Memory of a process that may have so many bytes, if that is known.
    pub(crate) fn new(memory: Option<u64>) -> Self {
        let affordable = memory.map_or(DOWNLOADS, |memory| memory / PART / DOWNLOAD);
        let downloads = usize::try_from(DOWNLOADS.min(affordable));
        Self {
            bytes: Room::new(BYTES, Duration::ZERO),
            downloads: Slots::new(downloads.unwrap_or_default()),
        }
    }

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
            return Some(Held::default());
        }
        self.bytes.try_take(bytes, whose).map(Held::of)
    }

    /// Takes the place of a blob; `None` when too many are on their way to a client's site, beside those of others. Whole
    /// accounts pull at the same time, so who it is does not matter.
    pub(crate) fn download(&self, client: IpAddr) -> Option<Held> {
        self.downloads.take(site(client)).map(|place| Held {
            _place: Some(Arc::new(place)),
            ..Held::default()
        })
    }
}

impl fmt::Debug for AnswerMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnswerMemory({} free)", self.free())
    }
}

/// Memory of one answer, or its place, which is free again when the last of this goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    _taken: Option<Arc<Taken>>,
    _place: Option<Arc<Slot>>,
}

impl Held {
    fn of(taken: Taken) -> Self {
        Self {
            _taken: Some(Arc::new(taken)),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;
    const GIB: u64 = 1024 * 1024 * 1024;

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
        let memory = AnswerMemory::new(None);
        let held = memory.hold(&from(1), MIB).unwrap();
        assert_eq!(memory.free(), BYTES.all - MIB);
        drop(held);
        assert_eq!(memory.free(), BYTES.all);
    }

    #[test]
    fn those_without_a_name_leave_memory_to_those_with_one_and_two_accounts_to_a_third() {
        let memory = AnswerMemory::new(None);
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
    fn one_site_may_pull_ten_thousand_times_at_once_and_leaves_places_to_others() {
        let memory = AnswerMemory::new(Some(8 * GIB));
        let client = [192, 0, 2, 1].into();
        let held: Vec<_> = std::iter::from_fn(|| memory.download(client)).collect();
        assert!(held.len() > 10_000, "{}", held.len());
        assert!(memory.download([192, 0, 2, 2].into()).is_some());
        assert!(memory.download(client).is_none());
        drop(held);
        assert!(memory.download(client).is_some());
    }

    #[test]
    fn pulls_take_half_of_the_memory_at_most() {
        let most = |memory| AnswerMemory::new(memory).free_downloads();
        assert_eq!(most(Some(GIB)), 3276);
        assert_eq!(most(Some(4 * GIB)), 13_107);
        assert_eq!((most(Some(64 * GIB)), most(None)), (16_384, 16_384));
    }
}

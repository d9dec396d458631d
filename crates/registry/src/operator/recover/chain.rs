//! The segments of an upload in a row.

use std::collections::BTreeMap;

use longshore_store::blob::segment::Recovered;
use longshore_types::{digest::Digest, id::PhysicalId};

/// A segment of an upload, as its header and footer tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) id: PhysicalId,
    start: u64,
    size: u64,
    /// The hash of the upload after it.
    after: Digest,
}

impl Seen {
    pub(super) fn of(id: PhysicalId, recovered: &Recovered) -> Self {
        Self {
            id,
            start: recovered.row.start,
            size: recovered.row.size,
            after: recovered.upload_sha256,
        }
    }
}

/// Segments that follow each other from the first byte on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) segments: Vec<PhysicalId>,
    pub(super) size: u64,
    /// The digest of their bytes, if they are the right ones.
    pub(super) digest: Digest,
}

/// Why an upload's segments make no blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    #[error("the upload's bytes before {0} are not in any segment")]
    Begins(u64),
    #[error("the upload's bytes from {0} to {1} are not in any segment")]
    Gap(u64, u64),
}

/// Returns the longest chain; a body that was sent twice may have left two segments that begin at the same byte.
pub(super) fn longest(seen: Vec<Seen>) -> Result<Chain, Broken> {
    let last = seen.iter().map(|seen| seen.start + seen.size).max();
    let mut at: BTreeMap<u64, Vec<Seen>> = BTreeMap::new();
    // One of no bytes is never written, and would lead to itself.
    for seen in seen.into_iter().filter(|seen| seen.size > 0) {
        at.entry(seen.start).or_default().push(seen);
    }
    // From the back: where the best chain from each start ends, and by which segment it begins.
    let mut best: BTreeMap<u64, (u64, Seen)> = BTreeMap::new();
    for (start, segments) in at.iter().rev() {
        let ends = segments.iter().map(|segment| {
            let end = start + segment.size;
            (best.get(&end).map_or(end, |(last, _)| *last), *segment)
        });
        if let Some(longest) = ends.max_by_key(|(end, segment)| (*end, segment.id)) {
            best.insert(*start, longest);
        }
    }
    let (mut segments, mut size, mut digest) = (Vec::new(), 0, None);
    while let Some((_, segment)) = best.get(&size) {
        segments.push(segment.id);
        size += segment.size;
        digest = Some(segment.after);
    }
    let missing = at.range(size..).next().map(|(start, _)| *start);
    match (digest, missing) {
        (None, first) => Err(Broken::Begins(first.unwrap_or_default())),
        (Some(_), Some(next)) => Err(Broken::Gap(size, next)),
        // What overlaps the end of the chain is no part of it, and goes on after it.
        (Some(_), None) if last > Some(size) => Err(Broken::Gap(size, last.unwrap_or(size))),
        (Some(digest), None) => Ok(Chain {
            segments,
            size,
            digest,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> PhysicalId {
        PhysicalId::from_slice(&[byte; 16]).unwrap()
    }

    fn seen(byte: u8, start: u64, size: u64) -> Seen {
        Seen {
            id: id(byte),
            start,
            size,
            after: Digest::sha256([byte; 32]),
        }
    }

    #[test]
    fn segments_join_in_whatever_order_they_are_found() {
        let chain = longest(vec![seen(3, 7, 1), seen(1, 0, 5), seen(2, 5, 2)]).unwrap();
        assert_eq!(chain.segments, [id(1), id(2), id(3)]);
        assert_eq!((chain.size, chain.digest), (8, Digest::sha256([3; 32])));
    }

    #[test]
    fn of_two_that_begin_at_the_same_byte_the_one_that_leads_on_is_taken() {
        let chain = longest(vec![
            seen(1, 0, 5),
            seen(2, 0, 6),
            seen(3, 5, 5),
            seen(4, 5, 4),
        ]);
        assert_eq!(chain.unwrap().segments, [id(1), id(3)]);
    }

    #[test]
    fn a_segment_of_no_bytes_is_no_part_of_a_chain() {
        let chain = longest(vec![seen(1, 0, 0), seen(2, 0, 5), seen(3, 5, 0)]).unwrap();
        assert_eq!((chain.segments, chain.size), (vec![id(2)], 5));
        assert_eq!(longest(vec![seen(1, 0, 0)]), Err(Broken::Begins(0)));
    }

    #[test]
    fn what_lacks_a_segment_is_no_chain() {
        assert_eq!(longest(vec![seen(1, 4, 5)]), Err(Broken::Begins(4)));
        assert_eq!(
            longest(vec![seen(1, 0, 5), seen(2, 9, 1)]),
            Err(Broken::Gap(5, 9))
        );
        assert_eq!(longest(Vec::new()), Err(Broken::Begins(0)));
    }
}

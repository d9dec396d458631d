//! What goes wrong with segments.

use std::io;

use longshore_types::id::PhysicalId;

use crate::crypto::CryptoError;

/// An operation on a segment failed.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no object under this id.
    #[error("segment {0} does not exist")]
    Missing(PhysicalId),
    /// There is an object under this id already.
    #[error("segment {0} exists already")]
    Exists(PhysicalId),
    /// The object is not what was written.
    #[error("segment {0} is damaged: {1}")]
    Damaged(PhysicalId, Damage),
    /// The store failed.
    #[error("cannot {action} segment {id}")]
    Io {
        /// The segment.
        id: PhysicalId,
        /// What was being done.
        action: &'static str,
        /// What the store said.
        source: io::Error,
    },
    /// The store cannot be reached, or says that it cannot serve for now. What was being done may have been done.
    #[error("cannot {action} segment {id}: the store is not available")]
    Unavailable {
        /// The segment.
        id: PhysicalId,
        /// What was being done.
        action: &'static str,
        /// What the store said.
        source: io::Error,
    },
    /// The segment lies in a store that this process was not told of. Nothing is wrong with it.
    #[error("segment {id} lies in store {store}, which is not configured")]
    Unconfigured {
        /// The segment.
        id: PhysicalId,
        /// The number of its store.
        store: u32,
    },
    /// A key is not available or does not fit.
    #[error("keys of segment {0} do not open it")]
    Keys(PhysicalId, #[source] CryptoError),
    /// The cipher or the random number generator failed while writing.
    #[error("cannot encrypt segment {0}")]
    Encrypt(PhysicalId, #[source] CryptoError),
    /// A segment of no bytes is never made.
    #[error("segment {0} would be empty")]
    Empty(PhysicalId),
    /// The writer failed before, so the segment cannot be completed.
    #[error("segment {0} has failed before")]
    Failed(PhysicalId),
    /// The range is not inside the bytes it is asked of.
    #[error("range {start}..{end} is outside of {size} bytes")]
    Range {
        /// First byte asked for.
        start: u64,
        /// The byte after the last one asked for.
        end: u64,
        /// How many there are.
        size: u64,
    },
}

/// In what a segment differs from what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It ends early.
    #[error("it is truncated")]
    Truncated,
    /// The header is not one of this format.
    #[error("its header is malformed")]
    Header,
    /// The header is not the one its row says.
    #[error("its header is of another segment")]
    Foreign,
    /// A frame does not decrypt.
    #[error("frame {0} does not decrypt")]
    Frame(u64),
    /// The footer is absent or does not say what the row says.
    #[error("its footer is not valid")]
    Footer,
    /// A stretch of a bare object has another hash.
    #[error("check {0} does not match")]
    Check(u64),
}

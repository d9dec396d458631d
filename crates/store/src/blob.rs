//! Write-once segments: their format, where they are kept, and the buffers between.
//!
//! [`Blobs`] is what the registry uses: plaintext in, plaintext out. Below it a [`SegmentStore`] holds objects and a
//! [`segment`] is what they look like inside. What a digest means is rows, and none of them are here.

mod blobs;
mod error;
pub mod file;
pub mod fuzz;
mod named;
pub mod pool;
mod row;
pub mod s3;
pub mod segment;
mod store;
mod stream;
mod writer;

#[cfg(any(test, feature = "test-suite"))]
pub mod fault;
#[cfg(any(test, feature = "test-suite"))]
pub mod suite;
#[cfg(test)]
mod tests;

pub use blobs::{Blobs, NewSegment};
pub use error::{BlobError, Damage};
pub use file::FileStore;
pub use named::{FileObjects, MAX_NAMED, NamedObjects};
pub use pool::Pool;
pub use row::{Cipher, SegmentRow};
pub use s3::S3Store;
pub use store::{Filled, MAX_WRITING, RawReader, RawWriter, SegmentStore, Step, Written};
pub use stream::{BlobStream, SegmentStream};
pub use writer::{FinishedSegment, SegmentWriter};

//! The seam between segments and what holds them: files or objects.

use std::fmt;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use longshore_types::id::PhysicalId;

use super::error::BlobError;
use super::segment::{Batch, Fill};

/// A step under way. It makes progress from the call on, not only while it is polled, so that a transfer may go on
/// with other work meanwhile; dropped, it completes or stops on its own.
pub type Step<T> = Pin<Box<dyn Future<Output = Result<T, BlobError>> + Send>>;

/// The longest that an object may take from its creation until it is whole. Whoever records an object before it exists
/// keeps that record for longer than this and [`SegmentStore::settling`] together.
pub const MAX_WRITING: Duration = Duration::from_hours(22);

/// Holds write-once objects under physical ids; knows neither digests nor keys.
#[async_trait]
pub trait SegmentStore: fmt::Debug + Send + Sync {
    /// Binds the place to the metadata of `store_id`, which `is_used` if it names objects here.
    ///
    /// Refuses the place of another store, and one whose objects are not there, as when a file system is not mounted or
    /// the bucket is another: every blob would be taken for damaged.
    async fn bind(&self, store_id: &str, is_used: bool) -> io::Result<()>;

    /// Binds the place to the metadata of `store_id`, of which it must be, for somebody who only reads.
    async fn bind_to_read(&self, store_id: &str) -> io::Result<()> {
        self.bind(store_id, true).await
    }

    /// Whether objects can be written and read now. It leaves nothing behind.
    async fn check(&self) -> io::Result<()>;

    /// How long after a write has failed or was given up its object may still appear, so that removing it earlier may
    /// remove nothing.
    fn settling(&self) -> Duration {
        Duration::ZERO
    }

    /// Creates an object under its final name; [`BlobError::Exists`] if there is one.
    async fn create(&self, id: PhysicalId) -> Result<Box<dyn RawWriter>, BlobError>;

    /// Creates an object in place of whatever lies under its name, which stays until this one is whole and durable.
    async fn replace(&self, id: PhysicalId) -> Result<Box<dyn RawWriter>, BlobError>;

    /// Opens an object for reading a range in order; [`BlobError::Missing`] if there is none.
    async fn open(
        &self,
        id: PhysicalId,
        range: Range<u64>,
    ) -> Result<Box<dyn RawReader>, BlobError>;

    /// Returns the length of an object, or `None` if there is none.
    async fn stat(&self, id: PhysicalId) -> Result<Option<u64>, BlobError>;

    /// Returns a URL by which anybody may read an object as it is for so long, if this store can tell one.
    fn location(&self, _id: PhysicalId, _lifetime: Duration) -> Option<String> {
        None
    }

    /// Removes an object durably. Removing one that is not there succeeds.
    async fn delete(&self, id: PhysicalId) -> Result<(), BlobError>;
}

/// An object being written. Dropped unfinished it leaves what there is, for its row is doomed.
#[async_trait]
pub trait RawWriter: fmt::Debug + Send {
    /// Encodes and appends a batch, in one step on one thread; the writer and the batch come back when it is done.
    /// After an error the object can only be removed.
    fn write(self: Box<Self>, batch: Batch) -> Step<Written>;

    /// Appends the last batch and makes the object and its name durable. After an error the object is doomed,
    /// whatever its content looks like.
    fn finish(self: Box<Self>, batch: Batch) -> Step<Batch>;

    /// Gives up the object and removes it.
    async fn abort(self: Box<Self>) -> Result<(), BlobError>;
}

/// A range of an object being read in order.
pub trait RawReader: fmt::Debug + Send {
    /// Reads the next bytes into the places that the fill names and decodes them, in one step on one thread;
    /// [`Damage::Truncated`](super::Damage::Truncated) if they are not all there.
    fn read(self: Box<Self>, fill: Fill) -> Step<Filled>;
}

/// The outcome of [`RawWriter::write`].
#[derive(Debug)]
pub struct Written {
    /// The writer, ready for the next batch.
    pub writer: Box<dyn RawWriter>,
    /// The batch, to take the encoder and the buffer from.
    pub batch: Batch,
}

/// The outcome of [`RawReader::read`].
#[derive(Debug)]
pub struct Filled {
    /// The reader, ready for the next fill.
    pub reader: Box<dyn RawReader>,
    /// The decoded fill.
    pub fill: Fill,
    /// Whether the bytes had to be waited for, so that reading ahead pays.
    pub waited: bool,
}

//! Segments as objects of an S3-compatible store.
//!
//! ```text
//! <prefix>/<last byte of the id, two hexadecimal digits>/<id>
//! <prefix>/store-id
//! ```
//!
//! The names are those of [`FileStore`](super::FileStore), so that either can be copied into the other. An object is
//! made by one PUT, or by one multipart upload when it is longer than a part; its bytes gather in files without a name,
//! never in memory, so a slow client costs no more than a buffer. Every attempt to make an object carries the same
//! random mark, by which a lost answer is settled: the object that is there is this writer's, or it is not.

mod answer;
mod body;
mod client;
mod connection;
mod multipart;
mod named;
mod object;
mod options;
mod part;
mod reader;
mod sign;
mod writer;

#[cfg(test)]
mod tests;

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use longshore_types::id::PhysicalId;
use tokio::task::JoinSet;

pub use self::named::S3Objects;
pub use self::options::{Patience, S3Error, S3Options};

use self::client::{Client, Failure};
use self::object::{Objects, Over};
use self::reader::S3Reader;
use self::writer::S3Writer;
use super::error::BlobError;
use super::pool::Pool;
use super::store::{RawReader, RawWriter, SegmentStore, Step};

/// S3 takes a signed request for a quarter of an hour before and after its date, so one that was sent can still take
/// effect for that long, and for as long as it may then take.
const SETTLING: Duration = Duration::from_mins(40);

/// Keeps segments in a bucket. Cheap to clone.
#[derive(Clone, Debug)]
pub struct S3Store {
    shared: Arc<Shared>,
}

/// What readers and writers share.
#[derive(Debug)]
struct Shared {
    objects: Objects,
    pool: Pool,
    /// Where the bytes of objects under way gather.
    spool: PathBuf,
}

impl S3Store {
    /// Makes the store; nothing is asked of the server yet. Transfers take their buffers from `pool`. Blocks.
    pub fn open(options: S3Options, pool: Pool) -> Result<Self, S3Error> {
        let spool = options.spool.clone();
        let objects = Objects::new(Client::new(options)?);
        let shared = Shared {
            objects,
            pool,
            spool,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }
}

#[async_trait]
impl SegmentStore for S3Store {
    async fn bind(&self, store_id: &str, is_used: bool) -> io::Result<()> {
        self.shared.objects.bind(store_id, is_used).await
    }

    async fn bind_to_read(&self, store_id: &str) -> io::Result<()> {
        self.shared.objects.bind_to_read(store_id).await
    }

    async fn check(&self) -> io::Result<()> {
        self.shared.objects.check().await
    }

    fn settling(&self) -> Duration {
        SETTLING
    }

    /// Nothing is sent before there are bytes, so that an object which exists is told when the new one is finished.
    async fn create(&self, id: PhysicalId) -> Result<Box<dyn RawWriter>, BlobError> {
        let writer = S3Writer::new(Arc::clone(&self.shared), id, Over::Nothing)?;
        Ok(Box::new(writer))
    }

    async fn replace(&self, id: PhysicalId) -> Result<Box<dyn RawWriter>, BlobError> {
        let objects = &self.shared.objects;
        // What somebody has left who was killed at it.
        let aborted = objects.abort_uploads(&objects.key(id)).await;
        aborted.map_err(|failure| failed(id, "create", failure))?;
        let writer = S3Writer::new(Arc::clone(&self.shared), id, Over::Anything)?;
        Ok(Box::new(writer))
    }

    async fn open(
        &self,
        id: PhysicalId,
        range: Range<u64>,
    ) -> Result<Box<dyn RawReader>, BlobError> {
        let reader = S3Reader::open(Arc::clone(&self.shared), id, range).await?;
        Ok(Box::new(reader))
    }

    async fn stat(&self, id: PhysicalId) -> Result<Option<u64>, BlobError> {
        let objects = &self.shared.objects;
        let found = objects.head(&objects.key(id)).await;
        match found.map_err(|failure| failed(id, "stat", failure))? {
            Some(head) => Ok(Some(head.length)),
            None => objects.absent(id).await.map(|()| None),
        }
    }

    fn location(&self, id: PhysicalId, lifetime: Duration) -> Option<String> {
        let objects = &self.shared.objects;
        Some(objects.client.presigned(&objects.key(id), lifetime))
    }

    async fn delete(&self, id: PhysicalId) -> Result<(), BlobError> {
        let objects = &self.shared.objects;
        let deleted = objects.delete(&objects.key(id)).await;
        deleted.map_err(|failure| failed(id, "delete", failure))
    }
}

/// Runs work that goes on while it is not polled, and stops when it is dropped.
fn step<T: Send + 'static>(
    id: PhysicalId,
    action: &'static str,
    work: impl Future<Output = Result<T, BlobError>> + Send + 'static,
) -> Step<T> {
    let mut task = JoinSet::new();
    task.spawn(work);
    Box::pin(async move {
        match task.join_next().await {
            Some(Ok(done)) => done,
            Some(Err(error)) => Err(broken(id, action, io::Error::other(error))),
            // INVARIANT: the set holds one task.
            None => Err(BlobError::Failed(id)),
        }
    })
}

fn failed(id: PhysicalId, action: &'static str, failure: Failure) -> BlobError {
    match failure {
        Failure::Local(source) => broken(id, action, source),
        failure => BlobError::Unavailable {
            id,
            action,
            source: io::Error::other(failure),
        },
    }
}

fn broken(id: PhysicalId, action: &'static str, source: io::Error) -> BlobError {
    BlobError::Io { id, action, source }
}

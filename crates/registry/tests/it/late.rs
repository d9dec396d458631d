//! A store of segments that waits before it makes a file.

use std::{io, ops::Range, path::Path, sync::Arc};

use async_trait::async_trait;
use longshore_store::blob::{BlobError, RawReader, RawWriter, SegmentStore};
use longshore_types::id::PhysicalId;
use tokio::sync::Semaphore;

use crate::segments;

/// What keeps files from being made.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Has a permit for each file that waits.
    pub(crate) reached: Semaphore,
    /// Lets as many be made as it has permits.
    pub(crate) open: Semaphore,
}

impl Gate {
    pub(crate) fn shut() -> Arc<Self> {
        Arc::new(Self {
            reached: Semaphore::new(0),
            open: Semaphore::new(0),
        })
    }
}

/// Opens the store of a directory, in which files are made when the gate opens.
pub(crate) fn store(directory: &Path, gate: Arc<Gate>) -> Arc<dyn SegmentStore> {
    let inner = segments::store(directory);
    Arc::new(Late { inner, gate })
}

#[derive(Debug)]
struct Late {
    inner: Arc<dyn SegmentStore>,
    gate: Arc<Gate>,
}

#[async_trait]
impl SegmentStore for Late {
    async fn bind(&self, store_id: &str, is_used: bool) -> io::Result<()> {
        self.inner.bind(store_id, is_used).await
    }

    async fn check(&self) -> io::Result<()> {
        self.inner.check().await
    }

    async fn create(&self, id: PhysicalId) -> Result<Box<dyn RawWriter>, BlobError> {
        self.gate.reached.add_permits(1);
        self.gate.open.acquire().await.unwrap().forget();
        self.inner.create(id).await
    }

    async fn replace(&self, id: PhysicalId) -> Result<Box<dyn RawWriter>, BlobError> {
        self.inner.replace(id).await
    }

    async fn open(
        &self,
        id: PhysicalId,
        range: Range<u64>,
    ) -> Result<Box<dyn RawReader>, BlobError> {
        self.inner.open(id, range).await
    }

    async fn stat(&self, id: PhysicalId) -> Result<Option<u64>, BlobError> {
        self.inner.stat(id).await
    }

    async fn delete(&self, id: PhysicalId) -> Result<(), BlobError> {
        self.inner.delete(id).await
    }
}

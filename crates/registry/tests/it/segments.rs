//! Where tests keep segments: in a directory of their own, or in the bucket of tests by `LONGSHORE_TEST_BLOBS=s3`.

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use longshore_store::blob::{
    BlobError, FileStore, Pool, RawReader, RawWriter, S3Store, SegmentStore,
    s3::{Patience, S3Options},
};
use longshore_testbed::s3::{self, S3Server};
use longshore_types::id::PhysicalId;

/// Opens the store of a directory, in which nothing sent takes effect later.
pub(crate) fn store(directory: &Path) -> Arc<dyn SegmentStore> {
    settling(directory, Duration::ZERO)
}

/// Opens the store of a directory, in which what was sent may take effect so much later.
pub(crate) fn settling(directory: &Path, after: Duration) -> Arc<dyn SegmentStore> {
    let inner = if s3::is_chosen() {
        bucket(S3Server::shared(), &prefix(directory), directory)
    } else {
        Arc::new(FileStore::open(directory).unwrap())
    };
    Arc::new(Settling { inner, after })
}

/// Opens a store under a prefix of a server's bucket, with files without a name in `spool`. It has settled at once.
pub(crate) fn bucket(server: &S3Server, prefix: &str, spool: &Path) -> Arc<dyn SegmentStore> {
    let options = S3Options {
        endpoint: Some(server.endpoint()),
        region: s3::REGION.to_owned(),
        bucket: s3::BUCKET.to_owned(),
        prefix: prefix.to_owned(),
        access_key_id: s3::KEY_ID.to_owned(),
        secret_access_key: s3::SECRET.to_owned(),
        session_token: None,
        ca_file: None,
        spool: spool.to_owned(),
        patience: Patience::default(),
    };
    let inner = Arc::new(S3Store::open(options, Pool::new(4)).unwrap());
    let after = Duration::ZERO;
    Arc::new(Settling { inner, after })
}

/// Where the segments of a directory lie, in directories and files of the same names.
pub(crate) fn place(directory: &Path) -> PathBuf {
    if s3::is_chosen() {
        S3Server::shared().path(&prefix(directory))
    } else {
        directory.join("blobs")
    }
}

fn prefix(directory: &Path) -> String {
    let name = directory.file_name().unwrap().to_string_lossy();
    name.trim_start_matches('.').to_owned()
}

/// A store that says when it has settled.
#[derive(Debug)]
struct Settling {
    inner: Arc<dyn SegmentStore>,
    after: Duration,
}

#[async_trait]
impl SegmentStore for Settling {
    async fn bind(&self, store_id: &str, is_used: bool) -> io::Result<()> {
        self.inner.bind(store_id, is_used).await
    }

    async fn check(&self) -> io::Result<()> {
        self.inner.check().await
    }

    fn settling(&self) -> Duration {
        self.after
    }

    async fn create(&self, id: PhysicalId) -> Result<Box<dyn RawWriter>, BlobError> {
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

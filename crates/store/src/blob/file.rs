//! Segments as files of one directory tree.
//!
//! ```text
//! <root>/blobs/<last byte of the id, two hexadecimal digits>/<id>
//! <root>/blobs/store-id
//! ```
//!
//! The last byte, because ids begin with the time. A directory is made durable once, when the first file goes into it.

mod descriptors;
mod reader;
mod tree;
mod writer;

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use longshore_types::id::PhysicalId;

use self::descriptors::Descriptors;
use self::reader::FileReader;
use self::tree::Tree;
use self::writer::FileWriter;
use super::error::BlobError;
use super::store::{RawReader, RawWriter, SegmentStore, Step};

/// Keeps segments in a directory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FileStore {
    tree: Arc<Tree>,
    descriptors: Arc<Descriptors>,
}

impl FileStore {
    /// Opens the store under a directory, which must exist, and makes it if it is new. Blocks.
    pub fn open(root: &Path) -> io::Result<Self> {
        Ok(Self::of(Tree::open(root)?))
    }

    /// Opens the store for copies of segments that no row dooms while they are written: a file has its name only when it
    /// is whole. Blocks.
    pub fn open_for_copies(root: &Path) -> io::Result<Self> {
        Ok(Self::of(Tree::open(root)?.with_drafts()))
    }

    fn of(tree: Tree) -> Self {
        Self {
            tree: Arc::new(tree),
            descriptors: Arc::default(),
        }
    }

    fn begin(&self, id: PhysicalId, is_draft: bool) -> Step<FileWriter> {
        let (tree, descriptors) = (Arc::clone(&self.tree), Arc::clone(&self.descriptors));
        run(id, "create", move || {
            let file = tree.create(id, is_draft)?;
            Ok(FileWriter::new((tree, descriptors), id, (file, is_draft)))
        })
    }
}

#[async_trait]
impl SegmentStore for FileStore {
    async fn bind(&self, store_id: &str, is_used: bool) -> io::Result<()> {
        let (tree, store_id) = (Arc::clone(&self.tree), store_id.to_owned());
        tokio::task::spawn_blocking(move || tree.bind(&store_id, is_used)).await?
    }

    async fn check(&self) -> io::Result<()> {
        let tree = Arc::clone(&self.tree);
        tokio::task::spawn_blocking(move || tree.check()).await?
    }

    async fn create(&self, id: PhysicalId) -> Result<Box<dyn RawWriter>, BlobError> {
        match self.begin(id, self.tree.drafts()).await {
            Err(BlobError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                Err(BlobError::Exists(id))
            }
            created => created.map(|writer| Box::new(writer) as Box<dyn RawWriter>),
        }
    }

    async fn replace(&self, id: PhysicalId) -> Result<Box<dyn RawWriter>, BlobError> {
        Ok(Box::new(self.begin(id, true).await?))
    }

    async fn open(
        &self,
        id: PhysicalId,
        range: Range<u64>,
    ) -> Result<Box<dyn RawReader>, BlobError> {
        if let Some(file) = self.descriptors.find(id) {
            return Ok(Box::new(FileReader::new(id, file, range)));
        }
        let tree = Arc::clone(&self.tree);
        let file = run(id, "open", move || tree.open_file(id)).await;
        let file = self
            .descriptors
            .insert(id, Arc::new(file.map_err(missing)?));
        Ok(Box::new(FileReader::new(id, file, range)))
    }

    async fn stat(&self, id: PhysicalId) -> Result<Option<u64>, BlobError> {
        let tree = Arc::clone(&self.tree);
        match run(id, "stat", move || tree.length(id))
            .await
            .map_err(missing)
        {
            Ok(length) => Ok(Some(length)),
            Err(BlobError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, id: PhysicalId) -> Result<(), BlobError> {
        let tree = Arc::clone(&self.tree);
        let removed = run(id, "delete", move || tree.remove(id)).await;
        // Its space is free only when nobody holds it open.
        self.descriptors.remove(id);
        removed
    }
}

/// Runs one short piece of blocking work. It starts at the call.
fn step<T: Send + 'static>(
    id: PhysicalId,
    action: &'static str,
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Step<T> {
    let task = tokio::task::spawn_blocking(work);
    Box::pin(async move {
        let joined = task.await.map_err(|error| BlobError::Io {
            id,
            action,
            source: io::Error::other(error),
        });
        joined.flatten()
    })
}

fn run<T: Send + 'static>(
    id: PhysicalId,
    action: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Step<T> {
    step(id, action, move || {
        work().map_err(|source| failed(id, action, source))
    })
}

/// There may be descriptors again soon.
fn failed(id: PhysicalId, action: &'static str, source: io::Error) -> BlobError {
    use rustix::io::Errno;
    let exhausted = [Errno::MFILE, Errno::NFILE];
    if Errno::from_io_error(&source).is_some_and(|errno| exhausted.contains(&errno)) {
        BlobError::Unavailable { id, action, source }
    } else {
        BlobError::Io { id, action, source }
    }
}

fn missing(error: BlobError) -> BlobError {
    match error {
        BlobError::Io { id, source, .. } if source.kind() == io::ErrorKind::NotFound => {
            BlobError::Missing(id)
        }
        error => error,
    }
}

#[cfg(test)]
mod tests;

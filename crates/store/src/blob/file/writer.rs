//! Writing a file: each batch is encoded and appended in one blocking task.

use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::Arc;

use async_trait::async_trait;
use longshore_types::id::PhysicalId;
use rustix::io::{Errno, pwritev};

use super::super::error::BlobError;
use super::super::segment::Batch;
use super::super::store::{RawWriter, Step, Written};
use super::tree::Tree;
use super::{run, step};

#[derive(Debug)]
pub(super) struct FileWriter {
    tree: Arc<Tree>,
    id: PhysicalId,
    file: File,
    offset: u64,
}

impl FileWriter {
    pub(super) fn new(tree: Arc<Tree>, id: PhysicalId, file: File) -> Self {
        Self {
            tree,
            id,
            file,
            offset: 0,
        }
    }

    fn append(&mut self, batch: &mut Batch) -> Result<(), BlobError> {
        let mut slices = batch.encode()?;
        self.write_all(&mut slices)
            .map_err(|error| self.failed("write", error))
    }

    fn write_all(&mut self, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        while !slices.is_empty() {
            match pwritev(&self.file, slices, self.offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.offset += count as u64;
                    IoSlice::advance_slices(&mut slices, count);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn make_durable(&self) -> Result<(), BlobError> {
        let synced = self.file.sync_data().and_then(|()| self.tree.sync(self.id));
        synced.map_err(|error| self.failed("sync", error))
    }

    fn failed(&self, action: &'static str, source: io::Error) -> BlobError {
        super::failed(self.id, action, source)
    }
}

#[async_trait]
impl RawWriter for FileWriter {
    fn write(mut self: Box<Self>, mut batch: Batch) -> Step<Written> {
        step(self.id, "write", move || {
            self.append(&mut batch)?;
            Ok(Written {
                writer: self,
                batch,
            })
        })
    }

    fn finish(mut self: Box<Self>, mut batch: Batch) -> Step<Batch> {
        step(self.id, "finish", move || {
            self.append(&mut batch)?;
            self.make_durable()?;
            Ok(batch)
        })
    }

    async fn abort(self: Box<Self>) -> Result<(), BlobError> {
        let Self { tree, id, file, .. } = *self;
        run(id, "abort", move || {
            drop(file);
            tree.remove(id)
        })
        .await
    }
}

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
use super::descriptors::Descriptors;
use super::tree::Tree;
use super::{run, step};

#[derive(Debug)]
pub(super) struct FileWriter {
    tree: Arc<Tree>,
    descriptors: Arc<Descriptors>,
    id: PhysicalId,
    file: File,
    is_draft: bool,
    offset: u64,
}

impl FileWriter {
    pub(super) fn new(
        (tree, descriptors): (Arc<Tree>, Arc<Descriptors>),
        id: PhysicalId,
        (file, is_draft): (File, bool),
    ) -> Self {
        Self {
            tree,
            descriptors,
            id,
            file,
            is_draft,
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
        let synced = self
            .file
            .sync_data()
            .and_then(|()| self.tree.complete(self.id, self.is_draft));
        // Whoever reads from now on reads this one.
        self.descriptors.remove(self.id);
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
        let Self {
            tree,
            id,
            file,
            is_draft,
            ..
        } = *self;
        run(id, "abort", move || {
            drop(file);
            tree.give_up(id, is_draft)
        })
        .await
    }
}

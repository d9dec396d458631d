//! Reading a file: from the page cache at once, else by one short blocking task per buffer.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::sync::Arc;

use longshore_types::id::PhysicalId;
use rustix::io::{Errno, ReadWriteFlags, preadv, preadv2};

use super::super::error::{BlobError, Damage};
use super::super::segment::Fill;
use super::super::store::{Filled, RawReader, Step};
use super::step;

#[derive(Debug)]
pub(super) struct FileReader {
    id: PhysicalId,
    file: Arc<File>,
    offset: u64,
    end: u64,
}

impl FileReader {
    pub(super) fn new(id: PhysicalId, file: Arc<File>, range: Range<u64>) -> Self {
        Self {
            id,
            file,
            offset: range.start,
            end: range.end,
        }
    }

    /// Reads what of the fill is in the page cache; returns how much that is.
    fn read_cached(&self, fill: &mut Fill) -> usize {
        // An error counts as nothing: the blocking read meets it again and reports it.
        preadv2(
            &*self.file,
            &mut fill.slices(),
            self.offset,
            ReadWriteFlags::NOWAIT,
        )
        .unwrap_or(0)
    }

    fn read_rest(&self, fill: &mut Fill, mut done: usize) -> Result<(), BlobError> {
        let length = fill.stored_len();
        let mut slices = fill.slices();
        let mut rest = slices.as_mut_slice();
        IoSliceMut::advance_slices(&mut rest, done);
        while done < length {
            match preadv(&*self.file, rest, self.offset + done as u64) {
                Ok(0) => return Err(self.truncated()),
                Ok(count) => {
                    done += count;
                    IoSliceMut::advance_slices(&mut rest, count);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(self.failed(error.into())),
            }
        }
        Ok(())
    }

    fn filled(mut self: Box<Self>, mut fill: Fill, waited: bool) -> Result<Filled, BlobError> {
        fill.decode()?;
        self.offset += fill.stored_len() as u64;
        Ok(Filled {
            reader: self,
            fill,
            waited,
        })
    }

    fn truncated(&self) -> BlobError {
        BlobError::Damaged(self.id, Damage::Truncated)
    }

    fn failed(&self, source: io::Error) -> BlobError {
        super::failed(self.id, "read", source)
    }
}

impl RawReader for FileReader {
    fn read(self: Box<Self>, mut fill: Fill) -> Step<Filled> {
        let length = fill.stored_len();
        if self.offset + length as u64 > self.end {
            let truncated = self.truncated();
            return Box::pin(async { Err(truncated) });
        }
        let cached = self.read_cached(&mut fill);
        if cached == length {
            // Decoding a buffer takes less time than handing it to another thread and back.
            let filled = self.filled(fill, false);
            return Box::pin(async { filled });
        }
        step(self.id, "read", move || {
            self.read_rest(&mut fill, cached)?;
            self.filled(fill, true)
        })
    }
}

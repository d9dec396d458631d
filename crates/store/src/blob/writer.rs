//! Writing one segment: bytes gather in a buffer while the one before is hashed, encrypted and written.

use bytes::{Buf, Bytes};
use longshore_types::id::PhysicalId;

use super::error::BlobError;
use super::pool::{Buffer, Pool};
use super::row::SegmentRow;
use super::segment::{Batch, Encoder};
use super::store::{RawWriter, Step, Written};
use crate::hash::UploadHash;

/// A segment being written. Dropped unfinished it leaves its object, for its row dooms it.
#[derive(Debug)]
pub struct SegmentWriter {
    pool: Pool,
    state: State,
    filling: Option<Buffer>,
    filled: usize,
    spare: Option<Buffer>,
    size: u64,
    /// Lacks only what is known at the end.
    row: SegmentRow,
}

/// A durable segment, ready for its row.
#[derive(Debug)]
pub struct FinishedSegment {
    /// What the metadata keeps.
    pub row: SegmentRow,
    /// The hash of the upload up to the end of the segment.
    pub hash: UploadHash,
}

enum State {
    Ready(Box<dyn RawWriter>, Box<Encoder>),
    Writing(Step<Written>),
    Failed,
}

impl SegmentWriter {
    pub(crate) fn new(
        pool: Pool,
        writer: Box<dyn RawWriter>,
        encoder: Box<Encoder>,
        row: SegmentRow,
    ) -> Self {
        Self {
            pool,
            state: State::Ready(writer, encoder),
            filling: None,
            filled: 0,
            spare: None,
            size: 0,
            row,
        }
    }

    /// Returns how many bytes have been taken.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Returns the segment.
    pub const fn physical_id(&self) -> PhysicalId {
        self.row.physical_id
    }

    /// Takes the next bytes. It waits only when one buffer is being written and the next is full. After an error, or
    /// when it is cancelled, the segment cannot be completed.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), BlobError> {
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            // A full buffer waits for a byte after it, because a last frame is marked as such.
            if let Some(full) = self
                .filling
                .take_if(|buffer| self.filled == buffer.as_ref().len())
            {
                self.submit(full).await?;
            }
            let mut buffer = self.filling.take().unwrap_or_else(|| self.empty_buffer());
            let room = buffer.as_mut().get_mut(self.filled..).unwrap_or_default();
            let count = room.len().min(bytes.len());
            bytes.copy_to_slice(room.get_mut(..count).unwrap_or_default());
            self.filled += count;
            self.filling = Some(buffer);
        }
        Ok(())
    }

    /// A short segment needs no slab; a long one gets one as soon as there is one.
    fn empty_buffer(&mut self) -> Buffer {
        self.filled = 0;
        match self.spare.take() {
            Some(spare) if spare.is_slab() => spare,
            Some(frame) => self.pool.try_acquire().unwrap_or(frame),
            None => self.pool.buffer(self.size),
        }
    }

    async fn submit(&mut self, buffer: Buffer) -> Result<(), BlobError> {
        let (writer, encoder) = self.ready().await?;
        let batch = Batch::new(encoder, buffer, self.filled, false);
        self.state = State::Writing(writer.write(batch));
        Ok(())
    }

    /// Waits for the batch under way; leaves the state failed for the caller to replace.
    async fn ready(&mut self) -> Result<(Box<dyn RawWriter>, Box<Encoder>), BlobError> {
        if let State::Writing(step) = &mut self.state {
            let written = step.await;
            self.state = State::Failed;
            let Written { writer, batch } = written?;
            let (encoder, buffer) = batch.into_parts();
            self.spare = Some(buffer);
            self.state = State::Ready(writer, encoder);
        }
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Ready(writer, encoder) => Ok((writer, encoder)),
            _ => Err(BlobError::Failed(self.row.physical_id)),
        }
    }

    /// Writes what is left and makes the segment durable. After an error it is doomed, whatever its object looks like.
    pub async fn finish(mut self) -> Result<FinishedSegment, BlobError> {
        let (writer, encoder) = self.ready().await?;
        let Some(buffer) = self.filling.take() else {
            return Err(BlobError::Empty(self.row.physical_id));
        };
        let batch = Batch::new(encoder, buffer, self.filled, true);
        let (encoder, _) = writer.finish(batch).await?.into_parts();
        let (size, hash, checks) = encoder.outcome();
        let row = SegmentRow {
            size,
            checks,
            ..self.row
        };
        Ok(FinishedSegment { row, hash })
    }

    /// Gives up the segment and removes its object.
    pub async fn abort(mut self) -> Result<(), BlobError> {
        let (writer, _) = self.ready().await?;
        writer.abort().await
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ready(..) => "Ready",
            Self::Writing(_) => "Writing",
            Self::Failed => "Failed",
        })
    }
}

//! Reading: a range of one segment, and of a blob that several segments make up.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::vec;

use bytes::Bytes;

use super::Blobs;
use super::error::BlobError;
use super::pool::Pool;
use super::row::SegmentRow;
use super::segment::{Decoder, Fill};
use super::store::{Filled, RawReader, Step};
use crate::crypto::DomainKeys;

/// Verified plaintext of a range of a segment, in order.
#[derive(Debug)]
pub struct SegmentStream {
    pool: Pool,
    state: State,
    /// Plaintext to pass over before the range begins.
    skip: u64,
    /// Bytes of the range not yet returned.
    left: u64,
}

enum State {
    Ready(Box<dyn RawReader>, Decoder),
    Reading(Step<Filled>),
    Ended,
}

impl SegmentStream {
    pub(crate) fn new(
        pool: Pool,
        reader: Box<dyn RawReader>,
        decoder: Decoder,
        skip: u64,
        left: u64,
    ) -> Self {
        Self {
            pool,
            state: State::Ready(reader, decoder),
            skip,
            left,
        }
    }

    /// Returns the next bytes, `None` after the last ones or an error. Nothing returned is unverified, but that of a
    /// bare object the end of the range comes only when the checks over it have held.
    pub async fn next(&mut self) -> Option<Result<Bytes, BlobError>> {
        if self.left == 0 {
            return None;
        }
        // Reads from the page cache are done at once; without this they would never let other tasks run.
        tokio::task::coop::consume_budget().await;
        let next = self.advance().await;
        if next.is_err() {
            self.left = 0;
            self.state = State::Ended;
        }
        next.transpose()
    }

    async fn advance(&mut self) -> Result<Option<Bytes>, BlobError> {
        let mut held = None;
        loop {
            let Some(filled) = self.fill().await? else {
                return Ok(held);
            };
            let (decoder, buffer, len) = filled.fill.into_parts();
            let verified = decoder.verified();
            if held.is_none() {
                let start = self.skip.min(len as u64);
                let count = self.left.min(len as u64 - start);
                self.skip -= start;
                self.left -= count;
                // INVARIANT: both are at most the length of the buffer.
                let start = usize::try_from(start).unwrap_or(len);
                let end = start + usize::try_from(count).unwrap_or_default();
                held = (end > start).then(|| buffer.into_bytes(start..end));
            }
            self.state = State::Ready(filled.reader, decoder);
            let complete = verified || self.left > 0;
            if complete && held.is_some() {
                self.read_ahead(filled.waited);
                return Ok(held);
            }
        }
    }

    async fn fill(&mut self) -> Result<Option<Filled>, BlobError> {
        self.start();
        match &mut self.state {
            State::Reading(step) => step.await.map(Some),
            _ => Ok(None),
        }
    }

    /// Starts the next read, unless one is under way or nothing is left.
    fn start(&mut self) {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Ready(reader, decoder) if decoder.left() > 0 => {
                let buffer = self.pool.buffer(decoder.left());
                self.state = State::Reading(reader.read(Fill::new(decoder, buffer)));
            }
            State::Reading(step) => self.state = State::Reading(step),
            State::Ready(..) | State::Ended => {}
        }
    }

    /// Bytes that are in memory anyway are read when they are wanted: reading them ahead only holds buffers.
    fn read_ahead(&mut self, waited: bool) {
        if waited && self.left > 0 {
            self.start();
        }
    }
}

/// Verified plaintext of a range of a blob, in order.
#[derive(Debug)]
pub struct BlobStream {
    blobs: Blobs,
    keys: Arc<DomainKeys>,
    rest: vec::IntoIter<(SegmentRow, Range<u64>)>,
    current: Option<SegmentStream>,
}

impl BlobStream {
    /// Cuts the range into ranges of segments, which must follow each other without a gap.
    pub(crate) fn new(
        blobs: Blobs,
        segments: Vec<SegmentRow>,
        keys: Arc<DomainKeys>,
        range: &Range<u64>,
    ) -> Result<Self, BlobError> {
        let mut parts = Vec::new();
        let mut size = 0_u64;
        for row in segments {
            let (start, end) = (size, size.saturating_add(row.size));
            let part = range.start.clamp(start, end) - start..range.end.clamp(start, end) - start;
            size = end;
            if part.start < part.end {
                parts.push((row, part));
            }
        }
        let (start, end) = (range.start, range.end);
        if start > end || end > size {
            return Err(BlobError::Range { start, end, size });
        }
        Ok(Self {
            blobs,
            keys,
            rest: parts.into_iter(),
            current: None,
        })
    }

    /// Returns the next bytes, `None` after the last ones or an error.
    pub async fn next(&mut self) -> Option<Result<Bytes, BlobError>> {
        loop {
            if let Some(stream) = &mut self.current {
                match stream.next().await {
                    Some(Ok(bytes)) => return Some(Ok(bytes)),
                    Some(Err(error)) => return Some(Err(self.end(error))),
                    None => self.current = None,
                }
            }
            let (row, range) = self.rest.next()?;
            match self.blobs.read(&row, &self.keys, range).await {
                Ok(stream) => self.current = Some(stream),
                Err(error) => return Some(Err(self.end(error))),
            }
        }
    }

    fn end(&mut self, error: BlobError) -> BlobError {
        self.current = None;
        self.rest = Vec::new().into_iter();
        error
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready(..) => "Ready",
            Self::Reading(_) => "Reading",
            Self::Ended => "Ended",
        })
    }
}

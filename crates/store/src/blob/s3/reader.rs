//! Reading an object: one request for the whole range, asked again from where it broke.

use std::io::IoSliceMut;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use longshore_types::id::PhysicalId;
use tokio::time::timeout;

use super::super::error::{BlobError, Damage};
use super::super::segment::Fill;
use super::super::store::{Filled, RawReader, Step};
use super::client::{Failure, Tries};
use super::object::number;
use super::{Shared, failed, step};

#[derive(Debug)]
pub(super) struct S3Reader {
    shared: Arc<Shared>,
    id: PhysicalId,
    key: String,
    /// Where the next fill begins.
    at: u64,
    /// Where the range ends.
    wanted_end: u64,
    /// Where what the server has of it ends.
    end: u64,
    stream: Option<Stream>,
}

/// An answer being read.
#[derive(Debug)]
struct Stream {
    body: Incoming,
    /// What of it came with the last piece and was not wanted yet.
    rest: Bytes,
}

impl S3Reader {
    pub(super) async fn open(
        shared: Arc<Shared>,
        id: PhysicalId,
        range: Range<u64>,
    ) -> Result<Self, BlobError> {
        let mut reader = Self {
            key: shared.objects.key(id),
            shared,
            id,
            at: range.start,
            wanted_end: range.end,
            end: range.end,
            stream: None,
        };
        if range.is_empty() {
            return Ok(reader);
        }
        let mut tries = reader.shared.objects.client.tries();
        while let Err(failure) = reader.connect().await {
            reader.again(&mut tries, failure).await?;
        }
        Ok(reader)
    }

    /// Waits for the next try, if the failure may pass.
    async fn again(&self, tries: &mut Tries, failure: Failure) -> Result<(), BlobError> {
        if failure.is_code("NoSuchKey") {
            self.shared.objects.absent(self.id).await?;
            return Err(BlobError::Missing(self.id));
        }
        let again = tries.again(failure).await;
        again.map_err(|failure| failed(self.id, "read", failure))
    }

    /// Asks for everything from the next fill on.
    async fn connect(&mut self) -> Result<(), Failure> {
        self.stream = None;
        let range = self.at..self.wanted_end;
        match self.shared.objects.get(&self.key, &range).await {
            Ok(response) => {
                self.end = extent(&response, &range)?.min(self.wanted_end);
                self.stream = Some(Stream {
                    body: response.into_body(),
                    rest: Bytes::new(),
                });
                Ok(())
            }
            Err(failure) if failure.is(StatusCode::RANGE_NOT_SATISFIABLE) => {
                self.end = self.at;
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    /// Reads and decodes a fill. What does not come is asked for again. So is what ends early or does not decode: an
    /// answer can be wrong where the object is not, and only what is wrong twice is damage.
    async fn fill(&mut self, fill: &mut Fill) -> Result<(), BlobError> {
        let wanted = self.at + fill.stored_len() as u64;
        let mut tries = self.shared.objects.client.tries();
        let mut is_second_look = false;
        loop {
            let outcome = match self.read_into(fill, wanted).await {
                Ok(true) => fill.decode(),
                Ok(false) => Err(BlobError::Damaged(self.id, Damage::Truncated)),
                Err(failure) => {
                    self.stream = None;
                    self.again(&mut tries, failure).await?;
                    continue;
                }
            };
            match outcome {
                Err(BlobError::Damaged(_, damage))
                    if !is_second_look
                        && (damage == Damage::Truncated || fill.can_be_refilled()) =>
                {
                    is_second_look = true;
                    self.stream = None;
                }
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        self.at = wanted;
        Ok(())
    }

    /// Fills the places; returns whether the object has that much.
    async fn read_into(&mut self, fill: &mut Fill, wanted: u64) -> Result<bool, Failure> {
        if self.stream.is_none() {
            self.connect().await?;
        }
        if wanted > self.end {
            return Ok(false);
        }
        let patience = self.shared.objects.client.patience.request;
        let stream = self.stream.as_mut().ok_or(Failure::Wrong("nothing"))?;
        for mut place in fill.slices() {
            let filled = timeout(patience, stream.fill(&mut place)).await;
            filled.map_err(|_| Failure::Lost("its answer stalls".to_owned()))??;
        }
        Ok(true)
    }
}

impl Stream {
    async fn fill(&mut self, place: &mut IoSliceMut<'_>) -> Result<(), Failure> {
        let mut filled = 0;
        while let Some(room) = place.get_mut(filled..).filter(|room| !room.is_empty()) {
            if self.rest.is_empty() {
                self.rest = self.next().await?;
            }
            let count = room.len().min(self.rest.len());
            if let Some(room) = room.get_mut(..count) {
                self.rest.copy_to_slice(room);
            }
            filled += count;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Bytes, Failure> {
        match self.body.frame().await {
            Some(Ok(frame)) => Ok(frame.into_data().unwrap_or_default()),
            Some(Err(error)) => Err(Failure::Lost(error.to_string())),
            None => Err(Failure::Lost("its answer is cut".to_owned())),
        }
    }
}

/// Returns where what the answer holds ends in the object; it must begin where it was asked to.
fn extent(response: &Response<Incoming>, asked: &Range<u64>) -> Result<u64, Failure> {
    let wrong = || Failure::Wrong("another range than was asked for");
    if response.status() != StatusCode::PARTIAL_CONTENT {
        // A server without ranges sends all of it.
        let length = number(response.headers(), CONTENT_LENGTH).ok_or_else(wrong)?;
        return (asked.start == 0).then_some(length).ok_or_else(wrong);
    }
    let range = response.headers().get(CONTENT_RANGE);
    let range = range.and_then(|range| range.to_str().ok());
    let parsed = range.and_then(|range| {
        let (range, size) = range.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let numbers = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        Some((numbers.0, numbers.1, size.parse::<u64>().ok()?))
    });
    let (first, last, size) = parsed.ok_or_else(wrong)?;
    if first != asked.start || last.checked_add(1) != Some(size.min(asked.end)) {
        return Err(wrong());
    }
    Ok(size)
}

impl RawReader for S3Reader {
    fn read(mut self: Box<Self>, mut fill: Fill) -> Step<Filled> {
        step(self.id, "read", async move {
            self.fill(&mut fill).await?;
            Ok(Filled {
                reader: self,
                fill,
                waited: true,
            })
        })
    }
}

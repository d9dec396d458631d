//! Layer parts on their way in: decoded as they stream, held in memory that is bounded for all of them together,
//! until their signature is known.

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::digest;
use bytes::{Bytes, BytesMut};
use longshore_registry::Error;
use serde::de::DeserializeOwned;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    error,
    json::{AwsError, ProtocolError, body_limit},
    layer_part::LayerPartReader,
    sigv4::PayloadHash,
};
use crate::{app::App, body::RequestBody};

/// How many parts of full size are held at a time.
const PARTS: usize = 3;
/// Decoded bytes are kept in pieces of this size.
const PIECE: usize = 256 * 1024;

/// Memory for parts.
#[derive(Clone)]
pub struct PartMemory {
    parts: Arc<Semaphore>,
    wait: Duration,
}

impl PartMemory {
    /// Room for three parts of 20 MiB; a further one waits, unread, for `wait`.
    pub fn new(wait: Duration) -> Self {
        Self {
            parts: Arc::new(Semaphore::new(PARTS)),
            wait,
        }
    }

    async fn room(&self) -> Result<OwnedSemaphorePermit, Error> {
        match timeout(self.wait, self.parts.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Error::Throttled),
        }
    }
}

impl fmt::Debug for PartMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartMemory")
            .field("free", &self.parts.available_permits())
            .finish_non_exhaustive()
    }
}

/// A part in memory, not yet proven to be anybody's.
#[derive(Debug)]
pub(crate) struct Part {
    reader: LayerPartReader,
    pieces: Pieces,
    hash: PayloadHash,
    room: OwnedSemaphorePermit,
}

impl Part {
    /// The hash of the body as it came.
    pub(crate) fn hash(&self) -> PayloadHash {
        self.hash
    }

    /// The other members, and the part's bytes; `None` when the body has no part.
    pub(crate) fn open<T: DeserializeOwned>(self) -> Result<(T, Option<HeldPart>), ProtocolError> {
        let (input, length) = self.reader.finish()?;
        let held = length.map(|length| HeldPart {
            pieces: self.pieces.finish().into_iter(),
            length,
            _room: self.room,
        });
        Ok((input, held))
    }
}

/// The bytes of a part; its memory is free for others when this goes.
#[derive(Debug)]
pub(crate) struct HeldPart {
    pieces: std::vec::IntoIter<Bytes>,
    length: u64,
    _room: OwnedSemaphorePermit,
}

#[async_trait::async_trait]
impl longshore_registry::body::Body for HeldPart {
    async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        self.pieces.next().map(Ok)
    }

    fn announced(&self) -> Option<u64> {
        Some(self.length)
    }
}

/// Reads a part as it comes in, once there is room for it.
pub(crate) async fn receive(app: &App, body: &mut RequestBody) -> Result<Part, AwsError> {
    let room = app.parts.room().await.map_err(error::wire)?;
    let limit = body_limit(super::STREAMED);
    let (mut reader, mut pieces) = (LayerPartReader::new(), Pieces::default());
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut received = 0;
    while let Some(chunk) = body.piece().await {
        let chunk = chunk.map_err(error::wire)?;
        received += chunk.len();
        if received > limit {
            return Err(ProtocolError::BodyTooLarge.into());
        }
        hash.update(&chunk);
        reader.push(&chunk, &mut |bytes| pieces.extend(bytes))?;
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(hash.finish().as_ref());
    Ok(Part {
        reader,
        pieces,
        hash: PayloadHash::from_bytes(sha256),
        room,
    })
}

/// Bytes in pieces, so that growing never copies.
#[derive(Debug, Default)]
struct Pieces {
    full: Vec<Bytes>,
    last: BytesMut,
}

impl Pieces {
    fn extend(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.last.capacity() == 0 {
                self.last.reserve(PIECE);
            }
            let (fits, rest) =
                bytes.split_at(bytes.len().min(self.last.capacity() - self.last.len()));
            self.last.extend_from_slice(fits);
            if self.last.len() == self.last.capacity() {
                self.full.push(std::mem::take(&mut self.last).freeze());
            }
            bytes = rest;
        }
    }

    fn finish(mut self) -> Vec<Bytes> {
        if !self.last.is_empty() {
            self.full.push(self.last.freeze());
        }
        self.full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_what_was_put_in() {
        let mut pieces = Pieces::default();
        let bytes: Vec<u8> = (0..PIECE * 2 + 7).map(|at| (at % 251) as u8).collect();
        for chunk in bytes.chunks(1000) {
            pieces.extend(chunk);
        }
        let pieces = pieces.finish();
        assert_eq!(pieces.concat(), bytes);
        assert!(pieces.len() <= 3, "{}", pieces.len());
    }

    #[tokio::test]
    async fn a_part_too_many_waits_and_is_then_throttled() {
        let memory = PartMemory::new(Duration::from_millis(10));
        let mut held = Vec::new();
        for _ in 0..PARTS {
            held.push(memory.room().await.unwrap());
        }
        assert!(matches!(memory.room().await, Err(Error::Throttled)));
        held.pop();
        assert!(memory.room().await.is_ok());
    }
}

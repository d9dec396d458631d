//! From plaintext to what the object holds: hashes and encrypts a buffer at a time, frame by frame while it is in cache.

use std::fmt;
use std::io::IoSlice;

use longshore_types::id::PhysicalId;
use sha2::{Digest as _, Sha256};

use super::footer::Footer;
use super::frame::{Edges, FrameKey, Place};
use super::layout::CHECK_LEN;
use crate::blob::error::BlobError;
use crate::blob::pool::{Buffer, FRAME_LEN};
use crate::crypto::{CryptoError, SealingKey};
use crate::hash::UploadHash;

/// The state of a segment being written.
pub(crate) struct Encoder {
    id: PhysicalId,
    hash: UploadHash,
    size: u64,
    frames: u64,
    mode: Mode,
}

enum Mode {
    Sealed(Box<Sealing>),
    Bare(Checks),
    Raw,
}

/// What frames and footer are sealed with.
pub(crate) struct Sealing {
    pub(crate) key: FrameKey,
    pub(crate) data_key: SealingKey,
    pub(crate) header: Vec<u8>,
    pub(crate) header_hash: [u8; 32],
}

/// The checks of a bare object so far.
#[derive(Default)]
struct Checks {
    current: Sha256,
    done: Vec<u8>,
}

impl Encoder {
    /// Starts a sealed segment; `hash` is that of the upload before it.
    pub(crate) fn sealed(id: PhysicalId, hash: UploadHash, sealing: Sealing) -> Self {
        Self::new(id, hash, Mode::Sealed(Box::new(sealing)))
    }

    /// Starts a bare object; `hash` is that of the upload before it.
    pub(crate) fn bare(id: PhysicalId, hash: UploadHash) -> Self {
        Self::new(id, hash, Mode::Bare(Checks::default()))
    }

    /// Starts an object of bytes that are stored just as they come.
    pub(crate) fn raw(id: PhysicalId) -> Self {
        Self::new(id, UploadHash::new(None), Mode::Raw)
    }

    fn new(id: PhysicalId, hash: UploadHash, mode: Mode) -> Self {
        Self {
            id,
            hash,
            size: 0,
            frames: 0,
            mode,
        }
    }

    /// Returns the bytes encoded so far, the hash of the upload, and the checks that the row keeps.
    pub(crate) fn outcome(self) -> (u64, UploadHash, Vec<u8>) {
        let checks = match self.mode {
            Mode::Sealed(_) | Mode::Raw => Vec::new(),
            Mode::Bare(checks) => [&self.hash.sha256()[..], &checks.done].concat(),
        };
        (self.size, self.hash, checks)
    }

    fn header(&self) -> Vec<u8> {
        match &self.mode {
            Mode::Sealed(sealing) if self.frames == 0 => sealing.header.clone(),
            _ => Vec::new(),
        }
    }

    fn frame(&mut self, last: bool, bytes: &mut [u8]) -> Result<Option<Edges>, CryptoError> {
        if !matches!(self.mode, Mode::Raw) {
            self.hash.update(bytes);
        }
        let place = Place {
            index: self.frames,
            last,
        };
        self.frames += 1;
        self.size += bytes.len() as u64;
        match &mut self.mode {
            Mode::Sealed(sealing) => sealing.key.seal(place, bytes).map(Some),
            Mode::Bare(checks) => {
                checks.add(bytes, last || self.size.is_multiple_of(CHECK_LEN as u64));
                Ok(None)
            }
            Mode::Raw => Ok(None),
        }
    }

    fn footer(&self) -> Result<Vec<u8>, CryptoError> {
        let Mode::Sealed(sealing) = &self.mode else {
            return Ok(Vec::new());
        };
        let footer = Footer {
            size: self.size,
            frames: self.frames,
            upload_sha256: self.hash.sha256(),
        };
        footer.seal(&sealing.data_key, &sealing.header_hash)
    }
}

impl Checks {
    fn add(&mut self, bytes: &[u8], complete: bool) {
        self.current.update(bytes);
        if complete {
            self.done.extend_from_slice(&self.current.finalize_reset());
        }
    }
}

/// A buffer of plaintext on its way into an object.
///
/// INVARIANT: only the last batch of a segment may be shorter than its buffer, so frames are full but for the last.
pub struct Batch {
    encoder: Box<Encoder>,
    buffer: Buffer,
    filled: usize,
    last: bool,
    head: Vec<u8>,
    edges: Vec<Edges>,
    tail: Vec<u8>,
}

impl Batch {
    pub(crate) fn new(encoder: Box<Encoder>, buffer: Buffer, filled: usize, last: bool) -> Self {
        Self {
            encoder,
            buffer,
            filled,
            last,
            head: Vec::new(),
            edges: Vec::new(),
            tail: Vec::new(),
        }
    }

    /// Hashes and encrypts the buffer in place and returns what to append to the object, in order. Call it once, on
    /// the thread that then writes.
    pub fn encode(&mut self) -> Result<Vec<IoSlice<'_>>, BlobError> {
        let id = self.encoder.id;
        self.encode_frames()
            .map_err(|error| BlobError::Encrypt(id, error))?;
        Ok(self.slices())
    }

    fn encode_frames(&mut self) -> Result<(), CryptoError> {
        self.head = self.encoder.header();
        let plaintext = self
            .buffer
            .as_mut()
            .get_mut(..self.filled)
            .unwrap_or_default();
        let mut frames = plaintext.chunks_mut(FRAME_LEN).peekable();
        while let Some(frame) = frames.next() {
            let last = self.last && frames.peek().is_none();
            self.edges.extend(self.encoder.frame(last, frame)?);
        }
        if self.last {
            self.tail = self.encoder.footer()?;
        }
        Ok(())
    }

    fn slices(&self) -> Vec<IoSlice<'_>> {
        let body = self.buffer.as_ref().get(..self.filled).unwrap_or_default();
        let mut slices = vec![IoSlice::new(&self.head)];
        if self.edges.is_empty() {
            slices.push(IoSlice::new(body));
        }
        for (edges, frame) in self.edges.iter().zip(body.chunks(FRAME_LEN)) {
            slices.extend([&edges.nonce[..], frame, &edges.tag].map(IoSlice::new));
        }
        slices.push(IoSlice::new(&self.tail));
        slices.retain(|slice| !slice.is_empty());
        slices
    }

    /// Returns the segment this is a part of.
    pub fn physical_id(&self) -> PhysicalId {
        self.encoder.id
    }

    pub(crate) fn into_parts(self) -> (Box<Encoder>, Buffer) {
        (self.encoder, self.buffer)
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoder({}, {} bytes)", self.id, self.size)
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({}, {} bytes)", self.encoder.id, self.filled)
    }
}

//! From what the object holds to plaintext: places for the stored bytes, then decryption or checking in place.

use std::fmt;
use std::io::IoSliceMut;
use std::ops::Range;

use longshore_types::id::PhysicalId;
use sha2::{Digest as _, Sha256};

use super::Sealing;
use super::footer::{FOOTER_LEN, Footer};
use super::frame::{Edges, NONCE_LEN, Place, TAG_LEN};
use super::layout::{CHECK_LEN, Layout};
use crate::blob::error::{BlobError, Damage};
use crate::blob::pool::{Buffer, FRAME_LEN};
use crate::blob::row::Cipher;

const FRAMES_PER_CHECK: u64 = (CHECK_LEN / FRAME_LEN) as u64;

/// The state of a range of frames being read in order.
pub(crate) struct Decoder {
    id: PhysicalId,
    layout: Layout,
    next: u64,
    end: u64,
    mode: Mode,
}

enum Mode {
    Sealed(Box<Sealing>),
    Bare(Checking),
    Raw,
}

struct Checking {
    current: Sha256,
    /// One SHA-256 per check of the object.
    expected: Vec<u8>,
}

impl Decoder {
    /// Starts reading frames of a sealed segment.
    pub(crate) fn sealed(
        id: PhysicalId,
        layout: Layout,
        frames: &Range<u64>,
        sealing: Sealing,
    ) -> Self {
        Self::new(id, layout, frames, Mode::Sealed(Box::new(sealing)))
    }

    /// Starts reading frames of a bare object; the range starts and ends with a check, or at the object's end.
    pub(crate) fn bare(
        id: PhysicalId,
        layout: Layout,
        frames: &Range<u64>,
        expected: Vec<u8>,
    ) -> Self {
        let current = Sha256::new();
        Self::new(
            id,
            layout,
            frames,
            Mode::Bare(Checking { current, expected }),
        )
    }

    /// Starts reading so many bytes just as they are stored.
    pub(crate) fn raw(id: PhysicalId, size: u64) -> Self {
        let layout = Layout {
            cipher: Cipher::None,
            header_len: 0,
            size,
        };
        Self::new(id, layout, &(0..layout.frames()), Mode::Raw)
    }

    fn new(id: PhysicalId, layout: Layout, frames: &Range<u64>, mode: Mode) -> Self {
        Self {
            id,
            layout,
            next: frames.start,
            end: frames.end,
            mode,
        }
    }

    /// Returns how many bytes of plaintext are still to be read.
    pub(crate) fn left(&self) -> u64 {
        let end = (self.end * FRAME_LEN as u64).min(self.layout.size);
        end.saturating_sub(self.next * FRAME_LEN as u64)
    }

    /// Whether everything decoded so far has been verified: always so for sealed frames, and at the end of a check.
    pub(crate) fn verified(&self) -> bool {
        match self.mode {
            Mode::Sealed(_) | Mode::Raw => true,
            Mode::Bare(_) => self.at_check_end(self.next),
        }
    }

    fn at_check_end(&self, frame: u64) -> bool {
        frame.is_multiple_of(FRAMES_PER_CHECK) || frame == self.layout.frames()
    }

    fn is_last(&self, frame: u64) -> bool {
        frame + 1 == self.layout.frames()
    }

    /// Returns the frames that a buffer of this length takes next; they never cross the end of a check.
    fn take(&self, buffer: usize) -> Range<u64> {
        let mut end = self.end.min(self.next + (buffer / FRAME_LEN) as u64);
        if matches!(self.mode, Mode::Bare(_)) {
            end = end.min((self.next / FRAMES_PER_CHECK + 1) * FRAMES_PER_CHECK);
        }
        self.next..end
    }

    fn check(&mut self, bytes: &[u8], end: u64) -> Result<(), Damage> {
        let complete = self.at_check_end(end);
        let Mode::Bare(checking) = &mut self.mode else {
            return Ok(());
        };
        checking.current.update(bytes);
        if !complete {
            return Ok(());
        }
        let actual = checking.current.finalize_reset();
        let index = (end - 1) / FRAMES_PER_CHECK;
        let mut expected = checking.expected.chunks(actual.len());
        let expected = usize::try_from(index)
            .ok()
            .and_then(|index| expected.nth(index));
        if expected == Some(&actual[..]) {
            Ok(())
        } else {
            Err(Damage::Check(index))
        }
    }
}

/// A buffer waiting for stored bytes, and then of plaintext.
pub struct Fill {
    decoder: Decoder,
    buffer: Buffer,
    frames: Range<u64>,
    len: usize,
    head: Vec<u8>,
    edges: Vec<Edges>,
    tail: Vec<u8>,
}

impl Fill {
    /// Lays the next frames out over a buffer.
    pub(crate) fn new(decoder: Decoder, buffer: Buffer) -> Self {
        let frames = decoder.take(buffer.as_ref().len());
        let len = frames
            .clone()
            .map(|frame| decoder.layout.frame_len(frame))
            .sum();
        let mut fill = Self {
            buffer,
            len,
            head: Vec::new(),
            edges: Vec::new(),
            tail: Vec::new(),
            decoder,
            frames,
        };
        fill.lay_out_edges();
        fill
    }

    fn lay_out_edges(&mut self) {
        let Mode::Sealed(sealing) = &self.decoder.mode else {
            return;
        };
        self.edges = self.frames.clone().map(|_| Edges::default()).collect();
        if self.frames.start == 0 {
            self.head = vec![0; sealing.header.len()];
        }
        if self.frames.end == self.decoder.layout.frames() {
            self.tail = vec![0; FOOTER_LEN];
        }
    }

    /// Returns how many stored bytes the places take.
    pub fn stored_len(&self) -> usize {
        let edges = self.edges.len() * (NONCE_LEN + TAG_LEN);
        self.head.len() + self.len + edges + self.tail.len()
    }

    /// Returns the places for the next stored bytes, in order.
    pub fn slices(&mut self) -> Vec<IoSliceMut<'_>> {
        let body = self.buffer.as_mut().get_mut(..self.len).unwrap_or_default();
        let mut slices = Vec::with_capacity(2 + 3 * self.edges.len().max(1));
        slices.push(IoSliceMut::new(&mut self.head));
        if self.edges.is_empty() {
            slices.push(IoSliceMut::new(body));
        } else {
            for (edges, frame) in self.edges.iter_mut().zip(body.chunks_mut(FRAME_LEN)) {
                slices.extend([&mut edges.nonce[..], frame, &mut edges.tag].map(IoSliceMut::new));
            }
        }
        slices.push(IoSliceMut::new(&mut self.tail));
        slices.retain(|slice| !slice.is_empty());
        slices
    }

    /// Whether the places may be filled and decoded once more after [`Fill::decode`] has refused them.
    pub const fn can_be_refilled(&self) -> bool {
        !matches!(self.decoder.mode, Mode::Bare(_))
    }

    /// Decrypts or checks the places, which must all have been filled. Call it once, on the thread that filled them.
    pub fn decode(&mut self) -> Result<(), BlobError> {
        self.decode_frames()
            .map_err(|damage| BlobError::Damaged(self.decoder.id, damage))
    }

    fn decode_frames(&mut self) -> Result<(), Damage> {
        let body = self.buffer.as_mut().get_mut(..self.len).unwrap_or_default();
        if let Mode::Sealed(sealing) = &self.decoder.mode {
            if !self.head.is_empty() && self.head != sealing.header {
                return Err(Damage::Foreign);
            }
            for ((index, edges), frame) in self
                .frames
                .clone()
                .zip(&self.edges)
                .zip(body.chunks_mut(FRAME_LEN))
            {
                let last = self.decoder.is_last(index);
                let opened = sealing.key.open(Place { index, last }, edges, frame);
                opened.map_err(|_| Damage::Frame(index))?;
            }
            if !self.tail.is_empty() {
                let footer = Footer::open(&sealing.data_key, &sealing.header_hash, &self.tail)?;
                if (footer.size, footer.frames)
                    != (self.decoder.layout.size, self.decoder.layout.frames())
                {
                    return Err(Damage::Footer);
                }
            }
        }
        self.decoder.check(body, self.frames.end)?;
        self.decoder.next = self.frames.end;
        Ok(())
    }

    /// Returns the segment this is a part of.
    pub fn physical_id(&self) -> PhysicalId {
        self.decoder.id
    }

    /// Returns the decoder, the buffer, and how much of the buffer is plaintext.
    pub(crate) fn into_parts(self) -> (Decoder, Buffer, usize) {
        (self.decoder, self.buffer, self.len)
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Decoder({}, frames {}..{})",
            self.id, self.next, self.end
        )
    }
}

impl fmt::Debug for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fill({}, frames {:?})", self.decoder.id, self.frames)
    }
}

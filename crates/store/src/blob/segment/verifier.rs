//! Proof that stored bytes are a segment's, while they pass by as they are.

use longshore_types::id::PhysicalId;
use sha2::{Digest as _, Sha256};

use super::Sealing;
use super::footer::{FOOTER_LEN, Footer};
use super::frame::{Edges, NONCE_LEN, Place, TAG_LEN};
use super::layout::{CHECK_LEN, Layout};
use crate::blob::error::{BlobError, Damage};
use crate::blob::row::{Cipher, SegmentRow};

/// Takes the bytes of an object from the first to the last, and decrypts or checks a copy of each part.
pub(crate) struct Verifier {
    id: PhysicalId,
    layout: Layout,
    proof: Proof,
    next: Part,
    /// What has come of the next part.
    pending: Vec<u8>,
}

/// What the bytes are proven by.
pub(crate) enum Proof {
    /// Keys and header.
    Sealed(Box<Sealing>),
    /// The checks of the row: one SHA-256 per MiB.
    Bare(Vec<u8>),
}

/// A part of an object that is proven as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Header,
    Frame(u64),
    Footer,
    Check(u64),
    End,
}

impl Verifier {
    pub(crate) fn new(row: &SegmentRow, layout: Layout, proof: Proof) -> Self {
        Self {
            id: row.physical_id,
            layout,
            next: match proof {
                Proof::Sealed(_) => Part::Header,
                Proof::Bare(_) => Part::Check(0),
            },
            proof,
            pending: Vec::new(),
        }
    }

    /// Takes the next bytes.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) -> Result<(), BlobError> {
        while !bytes.is_empty() {
            let wanted = self.len_of(self.next);
            let room = wanted.saturating_sub(self.pending.len());
            let (taken, rest) = bytes.split_at(room.min(bytes.len()));
            self.pending.extend_from_slice(taken);
            bytes = rest;
            if self.pending.len() == wanted {
                self.next = self
                    .prove()
                    .map_err(|damage| BlobError::Damaged(self.id, damage))?;
                self.pending.clear();
            }
        }
        Ok(())
    }

    /// Says whether that was all of it.
    pub(crate) fn finish(&self) -> Result<(), BlobError> {
        if self.next == Part::End {
            Ok(())
        } else {
            Err(BlobError::Damaged(self.id, Damage::Truncated))
        }
    }

    fn len_of(&self, part: Part) -> usize {
        match part {
            Part::Header => usize::try_from(self.layout.header_len).unwrap_or(usize::MAX),
            Part::Frame(index) => NONCE_LEN + self.layout.frame_len(index) + TAG_LEN,
            Part::Footer => FOOTER_LEN,
            Part::Check(index) => {
                let left = self.layout.size.saturating_sub(index * CHECK_LEN as u64);
                usize::try_from(left).map_or(CHECK_LEN, |left| left.min(CHECK_LEN))
            }
            // Whatever comes after it is too much.
            Part::End => 1,
        }
    }

    /// Proves the part that has come; returns the one after it.
    fn prove(&mut self) -> Result<Part, Damage> {
        match (&self.proof, self.next) {
            (Proof::Sealed(sealing), Part::Header) if self.pending == sealing.header => {
                Ok(Part::Frame(0))
            }
            (Proof::Sealed(sealing), Part::Frame(index)) => {
                let last = index + 1 == self.layout.frames();
                let mut edges = Edges::default();
                let (nonce, rest) = self.pending.split_at_mut(NONCE_LEN);
                let (frame, tag) = rest.split_at_mut(rest.len() - TAG_LEN);
                edges.nonce.copy_from_slice(nonce);
                edges.tag.copy_from_slice(tag);
                let opened = sealing.key.open(Place { index, last }, &edges, frame);
                opened.map_err(|_| Damage::Frame(index))?;
                Ok(if last {
                    Part::Footer
                } else {
                    Part::Frame(index + 1)
                })
            }
            (Proof::Sealed(sealing), Part::Footer) => {
                let footer = Footer::open(&sealing.data_key, &sealing.header_hash, &self.pending)?;
                let layout = &self.layout;
                if (footer.size, footer.frames) == (layout.size, layout.frames()) {
                    Ok(Part::End)
                } else {
                    Err(Damage::Footer)
                }
            }
            (Proof::Bare(checks), Part::Check(index)) => {
                let expected = usize::try_from(index)
                    .ok()
                    .and_then(|index| checks.chunks(32).nth(index));
                if expected != Some(&Sha256::digest(&self.pending)[..]) {
                    return Err(Damage::Check(index));
                }
                let end = (index + 1) * CHECK_LEN as u64 >= self.layout.size;
                Ok(if end {
                    Part::End
                } else {
                    Part::Check(index + 1)
                })
            }
            (_, Part::End) => Err(Damage::Footer),
            _ => Err(Damage::Foreign),
        }
    }
}

impl SegmentRow {
    /// Returns how long the segment's object is.
    pub const fn stored_len(&self) -> u64 {
        self.layout().stored_len()
    }

    pub(crate) const fn layout(&self) -> Layout {
        Layout {
            cipher: self.cipher,
            header_len: match self.cipher {
                Cipher::None => 0,
                Cipher::Aes256Gcm => self.header.len() as u64,
            },
            size: self.size,
        }
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier({}, {:?})", self.id, self.next)
    }
}

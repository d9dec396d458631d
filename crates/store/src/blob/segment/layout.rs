//! Where the parts of a segment are in its object.

use std::ops::Range;

use super::footer::FOOTER_LEN;
use super::frame::{NONCE_LEN, TAG_LEN};
use crate::blob::pool::FRAME_LEN;
use crate::blob::row::Cipher;

/// Bytes that one check of a bare object covers.
pub(crate) const CHECK_LEN: usize = 1024 * 1024;

const FRAME: u64 = FRAME_LEN as u64;
const STORED_FRAME: u64 = (NONCE_LEN + FRAME_LEN + TAG_LEN) as u64;

/// Where the parts of one segment are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) cipher: Cipher,
    pub(crate) header_len: u64,
    /// Plaintext bytes; not 0.
    pub(crate) size: u64,
}

impl Layout {
    /// Returns how many frames there are.
    pub(crate) const fn frames(&self) -> u64 {
        self.size.div_ceil(FRAME)
    }

    /// Returns how long the plaintext of a frame is.
    pub(crate) fn frame_len(&self, index: u64) -> usize {
        let left = self.size.saturating_sub(index * FRAME);
        // INVARIANT: at most FRAME_LEN, which is a usize.
        usize::try_from(left.min(FRAME)).unwrap_or(FRAME_LEN)
    }

    /// Returns the frames to read for a range of plaintext. A bare object is read by whole checks, or they could not
    /// be made.
    pub(crate) const fn frames_of(&self, range: &Range<u64>) -> Range<u64> {
        match self.cipher {
            Cipher::Aes256Gcm => range.start / FRAME..range.end.div_ceil(FRAME),
            Cipher::None => {
                let per_check = (CHECK_LEN / FRAME_LEN) as u64;
                let first = range.start / CHECK_LEN as u64 * per_check;
                let end = range.end.div_ceil(CHECK_LEN as u64) * per_check;
                let frames = self.frames();
                first..if end < frames { end } else { frames }
            }
        }
    }

    /// Returns what of the object holds these frames: with the header if the first is among them, with the footer if
    /// the last is.
    pub(crate) const fn stored(&self, frames: &Range<u64>) -> Range<u64> {
        let last = frames.end == self.frames();
        match self.cipher {
            Cipher::None => frames.start * FRAME..if last { self.size } else { frames.end * FRAME },
            Cipher::Aes256Gcm => {
                let first = if frames.start == 0 {
                    0
                } else {
                    self.header_len + frames.start * STORED_FRAME
                };
                first..if last {
                    self.stored_len()
                } else {
                    self.header_len + frames.end * STORED_FRAME
                }
            }
        }
    }

    /// Returns the length of the object.
    pub(crate) const fn stored_len(&self) -> u64 {
        match self.cipher {
            Cipher::None => self.size,
            Cipher::Aes256Gcm => {
                let edges = self.frames() * (NONCE_LEN + TAG_LEN) as u64;
                self.header_len + self.size + edges + FOOTER_LEN as u64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(cipher: Cipher, size: u64) -> Layout {
        Layout {
            cipher,
            header_len: 100,
            size,
        }
    }

    #[test]
    fn a_range_of_a_sealed_segment_reads_its_frames_only() {
        let layout = layout(Cipher::Aes256Gcm, 3 * FRAME + 5);
        assert_eq!(layout.frames(), 4);
        assert_eq!(layout.frame_len(3), 5);
        assert_eq!(layout.frames_of(&(FRAME - 1..FRAME)), 0..1);
        assert_eq!(layout.frames_of(&(FRAME..FRAME + 1)), 1..2);
        assert_eq!(
            layout.stored(&(1..2)),
            100 + STORED_FRAME..100 + 2 * STORED_FRAME
        );
        assert_eq!(layout.stored(&(0..1)), 0..100 + STORED_FRAME);
        let end = 100 + 3 * STORED_FRAME + 33 + FOOTER_LEN as u64;
        assert_eq!(layout.stored(&(3..4)), 100 + 3 * STORED_FRAME..end);
        assert_eq!(layout.stored_len(), end);
    }

    #[test]
    fn a_range_of_a_bare_object_reads_whole_checks() {
        let layout = layout(Cipher::None, 40 * FRAME + 5);
        assert_eq!(layout.frames_of(&(17 * FRAME..17 * FRAME + 1)), 16..32);
        assert_eq!(layout.frames_of(&(32 * FRAME..33 * FRAME)), 32..41);
        assert_eq!(layout.stored(&(32..41)), 32 * FRAME..40 * FRAME + 5);
        assert_eq!(layout.stored(&(16..32)), 16 * FRAME..32 * FRAME);
    }
}

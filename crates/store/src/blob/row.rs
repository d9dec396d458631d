//! What the metadata keeps of a segment.

use longshore_types::id::PhysicalId;

/// A segment's row: the authority on its size and keys. Every field is a column as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRow {
    /// The name of its file or object.
    pub physical_id: PhysicalId,
    /// Where its first byte is in the upload.
    pub start: u64,
    /// How many bytes it holds; never 0.
    pub size: u64,
    /// Which store holds it.
    pub store: u32,
    /// Version of the format it is written in.
    pub format: u32,
    /// How it is encrypted.
    pub cipher: Cipher,
    /// Plaintext bytes per frame; for a bare object, per check.
    pub frame_size: u32,
    /// The header, byte for byte.
    pub header: Vec<u8>,
    /// Version of the domain key that wraps the data key; 0 without one.
    pub key_version: u32,
    /// The wrapped data key; empty without one. Rewrapping changes it here, never in the file.
    pub wrapped_key: Vec<u8>,
    /// Of a bare object: SHA-256 of the upload up to its end, then one SHA-256 per `frame_size` bytes. Else empty.
    pub checks: Vec<u8>,
}

/// How a segment is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cipher {
    /// Not at all: the object is the bare bytes.
    None,
    /// Frames of AES-256-GCM.
    Aes256Gcm,
}

impl Cipher {
    /// Returns the number it is stored as.
    pub const fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Aes256Gcm => 1,
        }
    }

    /// Reads the number it is stored as.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::None),
            1 => Some(Self::Aes256Gcm),
            _ => None,
        }
    }
}

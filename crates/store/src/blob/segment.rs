//! The format of a segment.
//!
//! ```text
//! header   magic (8) | format (1) | length of the header (2) | registry | physical id | domain | upload id
//!          | start (8) | cipher (1) | frame size (4) | key version (4) | length and wrapped data key
//! frames   nonce (12) | ciphertext of up to 64 KiB | tag (16)          AAD: SHA-256 of the header, index (8), last (1)
//! footer   size (8) | frames (8) | SHA-256 of the upload up to here, sealed with the data key | length (4) | magic (8)
//! ```
//!
//! Integers are big-endian. No valid footer, no segment. With `cipher = none` the object is the bare bytes and the
//! row holds the header and the checks.

mod decoder;
mod encoder;
mod footer;
mod frame;
mod header;
mod layout;
mod recover;
mod verifier;

pub use decoder::Fill;
pub use encoder::Batch;
pub use recover::Recovered;

pub(crate) use decoder::Decoder;
pub(crate) use encoder::{Encoder, Sealing};
pub(crate) use footer::{FOOTER_LEN, Footer};
pub(crate) use frame::FrameKey;
pub(crate) use header::{Header, MAX_HEADER_LEN, header_hash};
pub(crate) use layout::{CHECK_LEN, Layout};
pub(crate) use recover::Found;
pub(crate) use verifier::{Proof, Verifier};

/// The version of the format described here.
pub const FORMAT: u8 = 1;

//! The hash of a request's body, as received and as declared.

use std::fmt::Write;

use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderMap;

use super::error::SignatureError;
use super::header_form::single;

/// The SHA-256 of the body that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadHash([u8; 32]);

impl PayloadHash {
    /// Takes the hash of a body that streamed past.
    pub const fn from_bytes(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// Hashes a body that is at hand.
    pub fn of(body: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, body).as_ref());
        Self(hash)
    }

    /// Returns the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn hex(self) -> String {
        hex(&self.0)
    }
}

/// What a request says of its body's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadMode {
    /// Nothing beside the signature.
    Implicit,
    /// `x-amz-content-sha256` names it.
    Declared(PayloadHash),
}

impl PayloadMode {
    pub(super) fn parse(headers: &HeaderMap) -> Result<Self, SignatureError> {
        let Some(value) = single(headers, "x-amz-content-sha256")? else {
            return Ok(Self::Implicit);
        };
        let hash = unhex(value.as_bytes()).ok_or_else(|| {
            SignatureError::invalid(
                "The provided 'x-amz-content-sha256' header must be a valid SHA256.",
            )
        })?;
        Ok(Self::Declared(PayloadHash(hash)))
    }

    pub(super) fn check(self, body: PayloadHash) -> Result<(), SignatureError> {
        match self {
            Self::Declared(declared) if declared != body => Err(SignatureError::invalid(
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )),
            Self::Implicit | Self::Declared(_) => Ok(()),
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn unhex(text: &[u8]) -> Option<[u8; 32]> {
    let text: &[u8; 64] = text.try_into().ok()?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        for digit in pair {
            let value = char::from(*digit)
                .to_digit(16)
                .and_then(|value| u8::try_from(value).ok())?;
            *byte = *byte << 4 | value;
        }
    }
    Some(bytes)
}

//! The footer: proof that a segment is complete, and the hash that ties a chain of segments to its digest.

use crate::blob::error::Damage;
use crate::crypto::{CryptoError, SEAL_OVERHEAD, SealingKey};

const MAGIC: &[u8; 8] = b"LSEGTAIL";
const BODY_LEN: usize = 8 + 8 + 32;
const SEALED_LEN: usize = BODY_LEN + SEAL_OVERHEAD;

/// Length of the footer in the file.
pub(crate) const FOOTER_LEN: usize = SEALED_LEN + 4 + MAGIC.len();

/// What a footer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) size: u64,
    pub(crate) frames: u64,
    /// SHA-256 of the upload from its first byte to the end of this segment.
    pub(crate) upload_sha256: [u8; 32],
}

impl Footer {
    /// Returns the bytes as they stand at the end of the file.
    pub(crate) fn seal(
        &self,
        key: &SealingKey,
        header_hash: &[u8; 32],
    ) -> Result<Vec<u8>, CryptoError> {
        let body = [
            &self.size.to_be_bytes()[..],
            &self.frames.to_be_bytes(),
            &self.upload_sha256,
        ]
        .concat();
        let mut footer = key.seal(&aad(header_hash), &body)?;
        let length = u32::try_from(footer.len()).map_err(|_| CryptoError::Seal)?;
        footer.extend_from_slice(&length.to_be_bytes());
        footer.extend_from_slice(MAGIC);
        Ok(footer)
    }

    /// Reads the last [`FOOTER_LEN`] bytes of a file.
    pub(crate) fn open(
        key: &SealingKey,
        header_hash: &[u8; 32],
        bytes: &[u8],
    ) -> Result<Self, Damage> {
        let (sealed, rest) = bytes.split_at_checked(SEALED_LEN).ok_or(Damage::Footer)?;
        let (length, magic) = rest.split_first_chunk::<4>().ok_or(Damage::Footer)?;
        if magic != MAGIC || u32::from_be_bytes(*length) as usize != SEALED_LEN {
            return Err(Damage::Footer);
        }
        let body = key
            .open(&aad(header_hash), sealed)
            .map_err(|_| Damage::Footer)?;
        Self::parse(&body).ok_or(Damage::Footer)
    }

    fn parse(body: &[u8]) -> Option<Self> {
        let (size, rest) = body.split_first_chunk()?;
        let (frames, upload_sha256) = rest.split_first_chunk()?;
        Some(Self {
            size: u64::from_be_bytes(*size),
            frames: u64::from_be_bytes(*frames),
            upload_sha256: upload_sha256.try_into().ok()?,
        })
    }
}

fn aad(header_hash: &[u8; 32]) -> Vec<u8> {
    [&header_hash[..], b"footer"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_footer_opens_only_unchanged_and_behind_its_header() {
        let footer = Footer {
            size: 70_000,
            frames: 2,
            upload_sha256: [5; 32],
        };
        let key = SealingKey::from_bytes([1; 32]);
        let bytes = footer.seal(&key, &[2; 32]).unwrap();
        assert_eq!(bytes.len(), FOOTER_LEN);
        assert_eq!(Footer::open(&key, &[2; 32], &bytes), Ok(footer));
        assert_eq!(Footer::open(&key, &[3; 32], &bytes), Err(Damage::Footer));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(
                Footer::open(&key, &[2; 32], &changed),
                Err(Damage::Footer),
                "byte {at}"
            );
        }
    }
}

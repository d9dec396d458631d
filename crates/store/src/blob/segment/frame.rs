//! One frame: AES-256-GCM in place, with nonce and tag apart so that plaintext stays contiguous in its buffer.

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};

use crate::crypto::{CryptoError, SealingKey, cipher_key, random};

pub(crate) const NONCE_LEN: usize = 12;
pub(crate) const TAG_LEN: usize = 16;

/// Seals and opens the frames of one segment.
pub(crate) struct FrameKey {
    key: LessSafeKey,
    header_hash: [u8; 32],
}

/// What stands before and after the ciphertext of a frame.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Edges {
    pub(crate) nonce: [u8; NONCE_LEN],
    pub(crate) tag: [u8; TAG_LEN],
}

/// Where a frame stands in its segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) index: u64,
    pub(crate) last: bool,
}

impl FrameKey {
    /// Derives the key of the frames, so that the data key itself serves for sealing only.
    pub(crate) fn new(data_key: &SealingKey, header_hash: [u8; 32]) -> Result<Self, CryptoError> {
        let key = SealingKey::from_bytes(data_key.mac(&[b"longshore frame v1"]));
        Ok(Self {
            key: cipher_key(&key)?,
            header_hash,
        })
    }

    /// Encrypts a frame in place under a fresh random nonce.
    pub(crate) fn seal(&self, place: Place, bytes: &mut [u8]) -> Result<Edges, CryptoError> {
        let nonce = random()?;
        let sealed = self.key.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(self.aad(place)),
            bytes,
        );
        let mut tag = [0; TAG_LEN];
        tag.copy_from_slice(sealed.map_err(|_| CryptoError::Seal)?.as_ref());
        Ok(Edges { nonce, tag })
    }

    /// Decrypts a frame in place.
    pub(crate) fn open(
        &self,
        place: Place,
        edges: &Edges,
        bytes: &mut [u8],
    ) -> Result<(), CryptoError> {
        let opened = self.key.open_in_place_separate_tag(
            Nonce::assume_unique_for_key(edges.nonce),
            Aad::from(self.aad(place)),
            &edges.tag,
            bytes,
        );
        opened.map(|_| ()).map_err(|_| CryptoError::Open)
    }

    fn aad(&self, place: Place) -> [u8; 41] {
        let mut aad = [0; 41];
        let (hash, rest) = aad.split_at_mut(32);
        let (index, last) = rest.split_at_mut(8);
        hash.copy_from_slice(&self.header_hash);
        index.copy_from_slice(&place.index.to_be_bytes());
        last.copy_from_slice(&[u8::from(place.last)]);
        aad
    }
}

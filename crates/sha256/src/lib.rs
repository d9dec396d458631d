//! SHA-256 whose half-done state can be saved and resumed, by AWS-LC's assembly.
//!
//! `sha2` can save its state but is plain code where a processor has no SHA extensions: 1.8 times the time of AWS-LC
//! there, and hashing is what bounds a push. `aws-lc-rs` is that fast but cannot save. So this crate calls AWS-LC's
//! streaming functions on the state struct that its C API publishes.

use std::fmt;

use aws_lc_sys::{SHA256_CTX, SHA256_Final, SHA256_Init, SHA256_Update};

const BLOCK: usize = 64;
const HASH: usize = 32;

/// The length of a saved state.
pub const STATE_LEN: usize = HASH + 8 + BLOCK;

/// A running SHA-256.
#[derive(Clone)]
pub struct Sha256(SHA256_CTX);

/// The bytes are not a saved state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidState;

impl fmt::Display for InvalidState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("saved SHA-256 state is malformed")
    }
}

impl std::error::Error for InvalidState {}

impl Default for Sha256 {
    fn default() -> Self {
        let mut state = SHA256_CTX {
            h: [0; 8],
            Nl: 0,
            Nh: 0,
            data: [0; BLOCK],
            num: 0,
            md_len: 0,
        };
        // SAFETY: the pointer is to a live, exclusively borrowed context, which the function overwrites.
        unsafe { SHA256_Init(&raw mut state) };
        Self(state)
    }
}

impl Sha256 {
    /// Starts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        // SAFETY: the context is initialised (every constructor sees to it) and the slice is readable for its length.
        unsafe { SHA256_Update(&raw mut self.0, bytes.as_ptr().cast(), bytes.len()) };
    }

    /// Returns the hash of all bytes appended.
    #[must_use]
    pub fn finalize(mut self) -> [u8; HASH] {
        let mut hash = [0; HASH];
        // SAFETY: `hash` has the 32 bytes that a SHA-256 context writes; `md_len` is only ever set by `SHA256_Init`.
        unsafe { SHA256_Final(hash.as_mut_ptr(), &raw mut self.0) };
        hash
    }

    /// How many bytes were appended.
    fn bytes(&self) -> u64 {
        ((u64::from(self.0.Nh) << 32) | u64::from(self.0.Nl)) / 8
    }

    /// Returns the state: chaining value, number of bytes, and the bytes of the unfinished block.
    #[must_use]
    pub fn save(&self) -> [u8; STATE_LEN] {
        let mut state = [0; STATE_LEN];
        let (chain, rest) = state.split_at_mut(HASH);
        let (length, block) = rest.split_at_mut(8);
        for (bytes, word) in chain.chunks_exact_mut(4).zip(self.0.h) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        length.copy_from_slice(&self.bytes().to_be_bytes());
        let filled = self.0.num as usize;
        block[..filled].copy_from_slice(&self.0.data[..filled]);
        state
    }

    /// Goes on from what [`Self::save`] returned.
    ///
    /// # Errors
    /// When the bytes after the unfinished block are not zero, or the number of bytes is not one that SHA-256 counts.
    pub fn restore(state: &[u8; STATE_LEN]) -> Result<Self, InvalidState> {
        let (chain, rest) = state.split_at(HASH);
        let (length, block) = rest.split_at(8);
        let length = u64::from_be_bytes(length.try_into().map_err(|_| InvalidState)?);
        let bits = length.checked_mul(8).ok_or(InvalidState)?;
        let filled = usize::try_from(length % BLOCK as u64).map_err(|_| InvalidState)?;
        if block[filled..].iter().any(|byte| *byte != 0) {
            return Err(InvalidState);
        }
        let mut hash = Self::new();
        for (word, bytes) in hash.0.h.iter_mut().zip(chain.chunks_exact(4)) {
            *word = u32::from_be_bytes(bytes.try_into().map_err(|_| InvalidState)?);
        }
        hash.0.Nl = u32::try_from(bits & 0xffff_ffff).map_err(|_| InvalidState)?;
        hash.0.Nh = u32::try_from(bits >> 32).map_err(|_| InvalidState)?;
        hash.0.data[..filled].copy_from_slice(&block[..filled]);
        hash.0.num = u32::try_from(filled).map_err(|_| InvalidState)?;
        Ok(hash)
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sha256")
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::Digest;

    use super::*;

    fn reference(bytes: &[u8]) -> [u8; HASH] {
        sha2::Sha256::digest(bytes).into()
    }

    proptest! {
        #[test]
        fn saved_and_resumed_anywhere_it_is_sha_256(bytes in prop::collection::vec(any::<u8>(), 0..1000), cut in 0..1000_usize) {
            let cut = cut.min(bytes.len());
            let mut hash = Sha256::new();
            hash.update(&bytes[..cut]);
            let mut resumed = Sha256::restore(&hash.save()).unwrap();
            resumed.update(&bytes[cut..]);
            prop_assert_eq!(resumed.finalize(), reference(&bytes));
        }

        #[test]
        fn any_state_is_refused_or_works(state in prop::collection::vec(any::<u8>(), STATE_LEN)) {
            let state: [u8; STATE_LEN] = state.try_into().unwrap();
            if let Ok(mut hash) = Sha256::restore(&state) {
                prop_assert_eq!(hash.save(), state);
                hash.update(b"more");
                let _ = hash.finalize();
            }
        }
    }

    #[test]
    fn lengths_beyond_four_gigabits_are_kept() {
        let mut state = Sha256::new().save();
        state[32..40].copy_from_slice(&(1_u64 << 40).to_be_bytes());
        let mut hash = Sha256::restore(&state).unwrap();
        hash.update(&[1; 64]);
        assert_eq!(hash.save()[32..40], ((1_u64 << 40) + 64).to_be_bytes());
    }

    #[test]
    fn more_bytes_than_sha_256_counts_are_refused() {
        let mut state = Sha256::new().save();
        state[32..40].copy_from_slice(&(1_u64 << 61).to_be_bytes());
        assert_eq!(Sha256::restore(&state).unwrap_err(), InvalidState);
    }
}

//! Deterministic pseudo-random bodies whose digests cost nothing inside a measured window.

use std::fmt::{self, Write as _};
use std::rc::Rc;

use aws_lc_rs::digest::{Context, SHA256};

/// Bytes at the end of a large body that make it distinct.
const TAIL: usize = 64;

/// A body to send, with its digest already known.
#[derive(Debug, Clone)]
pub struct Payload {
    base: Rc<[u8]>,
    /// How many times the base comes before the tail.
    times: usize,
    tail: Vec<u8>,
    digest: String,
}

impl Payload {
    /// Wraps bytes that are small enough to be hashed on the spot.
    pub fn small(bytes: Vec<u8>) -> Self {
        let digest = digest(&bytes);
        Self {
            base: Rc::from([]),
            times: 0,
            tail: bytes,
            digest,
        }
    }

    /// Returns the digest in its `sha256:hex` form.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Returns the body's pieces, in order.
    pub fn parts(&self) -> Vec<&[u8]> {
        let base = std::iter::repeat_n(&*self.base, self.times);
        base.chain([self.tail.as_slice()]).collect()
    }

    /// Returns the body's length in bytes.
    pub fn size(&self) -> usize {
        self.times * self.base.len() + self.tail.len()
    }
}

/// Makes large distinct bodies that share all but their last bytes, so each digest is one hash step away.
pub struct Mold {
    base: Rc<[u8]>,
    times: usize,
    state: Context,
}

impl fmt::Debug for Mold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mold")
            .field("size", &(self.times * self.base.len() + TAIL))
            .finish_non_exhaustive()
    }
}

impl Mold {
    /// Prepares bodies of `size` bytes from `seed`.
    pub fn new(size: usize, seed: u64) -> Self {
        Self::repeated(size.saturating_sub(TAIL), 1, seed)
    }

    /// Prepares bodies of `times` the same `size` bytes, and some more, so that the tool holds them once.
    pub fn repeated(size: usize, times: usize, seed: u64) -> Self {
        let base: Rc<[u8]> = random(size, seed).into();
        let mut state = Context::new(&SHA256);
        for _ in 0..times {
            state.update(&base);
        }
        Self { base, times, state }
    }

    /// Returns the body numbered `sequence`.
    pub fn cast(&self, sequence: u64) -> Payload {
        let tail = random(TAIL, mix(sequence));
        let mut state = self.state.clone();
        state.update(&tail);
        Payload {
            base: Rc::clone(&self.base),
            times: self.times,
            tail,
            digest: display(state.finish().as_ref()),
        }
    }
}

/// Returns `len` pseudo-random bytes, the same for the same seed.
pub fn random(len: usize, seed: u64) -> Vec<u8> {
    let mut state = mix(seed);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        bytes.extend_from_slice(&mix(state).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Spreads a number over all 64 bits (the splitmix64 finalizer).
pub fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Returns the `sha256:hex` digest of `bytes`.
pub fn digest(bytes: &[u8]) -> String {
    display(aws_lc_rs::digest::digest(&SHA256, bytes).as_ref())
}

/// Returns `bytes` in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn display(hash: &[u8]) -> String {
    format!("sha256:{}", hex(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cast_body_has_the_digest_of_its_bytes() {
        let payload = Mold::new(10_000, 7).cast(3);
        assert_eq!(payload.size(), 10_000);
        assert_eq!(payload.digest(), digest(&payload.parts().concat()));
    }

    #[test]
    fn bodies_differ_by_sequence_and_repeat_by_seed() {
        let mold = Mold::new(1000, 1);
        assert_ne!(mold.cast(1).digest(), mold.cast(2).digest());
        assert_eq!(mold.cast(1).digest(), Mold::new(1000, 1).cast(1).digest());
        assert_ne!(mold.cast(1).digest(), Mold::new(1000, 2).cast(1).digest());
    }
}

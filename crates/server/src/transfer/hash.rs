//! Digests of what passes by.

use aws_lc_rs::digest::{Context, SHA256, SHA512};
use longshore_types::digest::{Algorithm, Digest};

/// A digest in the making.
#[derive(Clone)]
pub(crate) struct Hasher {
    algorithm: Algorithm,
    context: Context,
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let context = Context::new(match algorithm {
            Algorithm::Sha256 => &SHA256,
            Algorithm::Sha512 => &SHA512,
        });
        Self { algorithm, context }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    pub(crate) fn finish(self) -> Digest {
        let hash = self.context.finish();
        match self.algorithm {
            Algorithm::Sha256 => Digest::sha256(filled(hash.as_ref())),
            Algorithm::Sha512 => Digest::sha512(filled(hash.as_ref())),
        }
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hasher")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// A hash of the length that its algorithm has.
fn filled<const N: usize>(hash: &[u8]) -> [u8; N] {
    let mut filled = [0; N];
    filled.copy_from_slice(hash);
    filled
}

/// The digest of bytes by an algorithm.
pub(crate) fn of(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

/// The digest that everybody uses.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    of(Algorithm::Sha256, bytes)
}

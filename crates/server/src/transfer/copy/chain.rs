//! How much of what is brought lies in memory at a time.

use anyhow::ensure;

/// How deep indexes may lie in indexes, and referrers refer to referrers.
const MAX_DEPTH: usize = 32;
/// How many bytes of memory what leads to a manifest may take.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// How many times a manifest is in memory: as its bytes, and as what was read from them.
const COPIES: usize = 2;

/// What leads to a manifest, from an image of a list on: indexes that it is in, what it refers to, lists of referrers. All of
/// it is in memory while the manifest is brought.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chain {
    depth: usize,
    bytes: usize,
}

impl Chain {
    /// The chain with one more in it.
    pub(super) fn deeper(self) -> anyhow::Result<Self> {
        let depth = self.depth + 1;
        ensure!(
            depth <= MAX_DEPTH,
            "indexes lie in each other, or referrers refer to each other, more than {MAX_DEPTH} deep"
        );
        Ok(Self { depth, ..self })
    }

    /// The chain with a manifest in memory.
    pub(super) fn with_manifest(self, bytes: &[u8]) -> anyhow::Result<Self> {
        self.with(COPIES * bytes.len())
    }

    /// The chain with so many bytes more.
    pub(super) fn with(self, bytes: usize) -> anyhow::Result<Self> {
        let bytes = self.bytes + bytes;
        ensure!(
            bytes <= MAX_BYTES,
            "it and the indexes that it lies in, or what it refers to, take more than {MAX_BYTES} bytes of memory"
        );
        Ok(Self { bytes, ..self })
    }
}

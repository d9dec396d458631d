//! Bytes on their way to the server: they gather in a file without a name, with their hash.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};

/// The length of every part of a multipart upload but the last. S3 takes 10,000 parts, so one body takes 78 GiB.
#[cfg(not(test))]
pub(super) const PART_LEN: u64 = 8 * 1024 * 1024;
/// As short as S3 allows.
#[cfg(test)]
pub(super) const PART_LEN: u64 = 5 * 1024 * 1024;

/// Bytes that are complete.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) file: Arc<File>,
    pub(super) len: u64,
    pub(super) sha256: [u8; 32],
}

/// Bytes that are still gathering.
pub(super) struct Filling {
    file: File,
    len: u64,
    hash: Context,
}

impl Filling {
    /// Opens a file that has no name and goes with its last descriptor. Blocks.
    pub(super) fn open(spool: &Path) -> io::Result<Self> {
        Ok(Self {
            file: tempfile::tempfile_in(spool)?,
            len: 0,
            hash: Context::new(&SHA256),
        })
    }

    /// Whether nothing more fits.
    pub(super) const fn is_full(&self) -> bool {
        self.len == PART_LEN
    }

    /// Takes as many bytes as fit; returns the others. Blocks.
    pub(super) fn take<'a>(&mut self, bytes: &'a [u8]) -> io::Result<&'a [u8]> {
        let room = usize::try_from(PART_LEN - self.len).unwrap_or(usize::MAX);
        let (taken, left) = bytes.split_at(room.min(bytes.len()));
        self.file.write_all(taken)?;
        self.hash.update(taken);
        self.len += taken.len() as u64;
        Ok(left)
    }

    pub(super) fn complete(self) -> Part {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.hash.finish().as_ref());
        Part {
            file: Arc::new(self.file),
            len: self.len,
            sha256,
        }
    }
}

impl std::fmt::Debug for Filling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Filling({} bytes)", self.len)
    }
}

//! A part of a file: a blob in a directory is a whole file, one in an archive is not.

use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};

/// How many bytes are read at a time.
const STEP: usize = 256 * 1024;

/// Bytes of a file.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub(super) file: Arc<File>,
    /// Where they begin.
    pub(super) at: u64,
    /// How many there are.
    pub(super) len: u64,
}

impl Section {
    /// Reads all of it, if it is no longer than `limit` bytes. Blocks.
    pub(super) fn whole(&self, limit: u64) -> io::Result<Bytes> {
        if self.len > limit {
            let text = format!("it has {} bytes, more than {limit}", self.len);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let mut bytes = vec![0; usize::try_from(self.len).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, self.at)?;
        Ok(bytes.into())
    }

    /// Reads from a byte on.
    pub(super) fn stream(self, from: u64) -> BoxStream<'static, anyhow::Result<Bytes>> {
        stream::try_unfold((self, from), |(section, from)| async move {
            let left = section.len.saturating_sub(from);
            if left == 0 {
                return Ok(None);
            }
            let file = section.file.clone();
            let at = section.at + from;
            let step = usize::try_from(left).map_or(STEP, |left| left.min(STEP));
            let read = tokio::task::spawn_blocking(move || {
                let mut bytes = vec![0; step];
                file.read_exact_at(&mut bytes, at)?;
                Ok::<_, io::Error>(Bytes::from(bytes))
            });
            let bytes = read.await??;
            Ok(Some((bytes, (section, from + step as u64))))
        })
        .boxed()
    }
}

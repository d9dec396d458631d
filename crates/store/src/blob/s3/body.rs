//! Bodies of requests: a few bytes, or a part that is read a buffer at a time.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::task::JoinHandle;

use super::super::pool::Pool;
use super::part::Part;

/// What a request carries; it can be sent again.
#[derive(Clone, Debug)]
pub(super) enum Payload {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A part, with the buffers to read it into.
    Part(Part, Pool),
}

impl Payload {
    pub(super) const NONE: Self = Self::Bytes(Bytes::new());

    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Part(part, _) => part.len,
        }
    }

    pub(super) fn sha256(&self) -> [u8; 32] {
        match self {
            Self::Bytes(bytes) => {
                let mut sha256 = [0; 32];
                sha256.copy_from_slice(digest(&SHA256, bytes).as_ref());
                sha256
            }
            Self::Part(part, _) => part.sha256,
        }
    }

    /// Starts sending it.
    pub(super) fn body(&self) -> Body {
        let source = match self {
            Self::Bytes(bytes) => Source::Bytes(bytes.clone()),
            Self::Part(part, pool) => Source::File {
                file: Arc::clone(&part.file),
                pool: pool.clone(),
                reading: None,
            },
        };
        Body {
            at: 0,
            len: self.len(),
            source,
        }
    }
}

/// A body being sent.
#[derive(Debug)]
pub(super) struct Body {
    at: u64,
    len: u64,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Bytes(Bytes),
    File {
        file: Arc<File>,
        pool: Pool,
        reading: Option<JoinHandle<io::Result<Bytes>>>,
    },
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if this.at == this.len {
            return Poll::Ready(None);
        }
        let next = match &mut this.source {
            Source::Bytes(bytes) => bytes.clone(),
            Source::File {
                file,
                pool,
                reading,
            } => {
                let (at, left) = (this.at, this.len - this.at);
                let task = reading.get_or_insert_with(|| read(Arc::clone(file), pool, at, left));
                let read = ready!(Pin::new(task).poll(cx));
                *reading = None;
                read.map_err(io::Error::other)??
            }
        };
        this.at += next.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(next))))
    }

    fn is_end_stream(&self) -> bool {
        self.at == self.len
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len - self.at)
    }
}

fn read(file: Arc<File>, pool: &Pool, at: u64, left: u64) -> JoinHandle<io::Result<Bytes>> {
    let mut buffer = pool.buffer(left);
    tokio::task::spawn_blocking(move || {
        let memory = buffer.as_mut();
        let len = usize::try_from(left).map_or(memory.len(), |left| left.min(memory.len()));
        file.read_exact_at(memory.get_mut(..len).unwrap_or_default(), at)?;
        Ok(buffer.into_bytes(0..len))
    })
}

//! A request's body as it arrives.

use bytes::Bytes;

use crate::error::Result;

/// Bytes from a client, in pieces. Ends with `None`; fails with [`crate::Error::BodyBroken`] when the client breaks off.
#[async_trait::async_trait]
pub trait Body: Send {
    /// Returns the next piece; never an empty one.
    async fn next(&mut self) -> Option<Result<Bytes>>;

    /// The number of bytes that the client announced for the whole body, if it did; the same before and after reading.
    fn announced(&self) -> Option<u64>;
}

impl std::fmt::Debug for dyn Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a body of {:?} bytes", self.announced())
    }
}

/// A body that is wholly in memory.
#[derive(Debug)]
pub struct Whole {
    bytes: Option<Bytes>,
    length: u64,
}

impl Whole {
    /// Wraps `bytes`.
    pub fn new(bytes: Bytes) -> Self {
        let length = bytes.len() as u64;
        Self {
            bytes: (length > 0).then_some(bytes),
            length,
        }
    }
}

#[async_trait::async_trait]
impl Body for Whole {
    async fn next(&mut self) -> Option<Result<Bytes>> {
        self.bytes.take().map(Ok)
    }

    fn announced(&self) -> Option<u64> {
        Some(self.length)
    }
}

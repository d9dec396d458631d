//! How fast a body must come that takes room from others.

use std::time::{Duration, Instant};

use bytes::Bytes;
use longshore_registry::Error;
use tokio::time::timeout;

use super::RequestBody;

/// How many bytes must come each time.
const BYTES: usize = 64 * 1024;

/// Whoever holds room must use it: a trickle would keep others out.
#[derive(Debug)]
pub(crate) struct Pace {
    every: Duration,
    /// How long the client may take for the next bytes; what it waits for room does not count.
    left: Duration,
    received: usize,
}

impl Pace {
    /// 64 KiB, or the rest of the body, must come within `every`.
    pub(crate) fn new(every: Duration) -> Self {
        Self {
            every,
            left: every,
            received: 0,
        }
    }

    /// The next piece of a body; an error when it comes too slowly.
    pub(crate) async fn piece(&mut self, body: &mut RequestBody) -> Option<Result<Bytes, Error>> {
        let asked = Instant::now();
        let Ok(piece) = timeout(self.left, body.piece()).await else {
            return Some(Err(Error::BodyLate("it came too slowly".to_owned())));
        };
        self.left = self.left.saturating_sub(asked.elapsed());
        if let Some(Ok(bytes)) = &piece {
            self.received += bytes.len();
            if self.received >= BYTES {
                *self = Self::new(self.every);
            }
        }
        piece
    }
}

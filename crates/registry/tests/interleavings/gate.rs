//! A body that arrives when the test says so.

use bytes::Bytes;
use longshore_registry::{Result, body::Body};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The sending half; the body ends when it is dropped.
pub(crate) struct Sender {
    bytes: UnboundedSender<Bytes>,
    asked: UnboundedReceiver<()>,
}

/// A body whose pieces come through a gate.
struct Gated {
    bytes: UnboundedReceiver<Bytes>,
    asked: UnboundedSender<()>,
}

pub(crate) fn gated() -> (Sender, Box<dyn Body>) {
    let (bytes, arriving) = unbounded_channel();
    let (asking, asked) = unbounded_channel();
    let body = Gated {
        bytes: arriving,
        asked: asking,
    };
    (Sender { bytes, asked }, Box::new(body))
}

impl Sender {
    /// Waits until the request asks for its next piece: all it does before that is done.
    pub(crate) async fn until_asked(&mut self) {
        self.asked.recv().await.unwrap();
    }

    pub(crate) fn send(&self, bytes: &Bytes) {
        self.bytes.send(bytes.clone()).unwrap();
    }
}

#[async_trait::async_trait]
impl Body for Gated {
    async fn next(&mut self) -> Option<Result<Bytes>> {
        // The test may have gone on without looking.
        let _ = self.asked.send(());
        self.bytes.recv().await.map(Ok)
    }

    fn announced(&self) -> Option<u64> {
        None
    }
}

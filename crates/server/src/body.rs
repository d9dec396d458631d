//! Request bodies: bounded in size, and in how long they may stay silent.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use longshore_registry::{Error, body::Body};
use tokio::time::timeout;

use self::{
    memory::{BodyMemory, Claim, LITTLE},
    pace::Pace,
    room::Sender,
    waiting::Waiting,
};
use crate::config::Limits;

pub(crate) mod memory;
pub(crate) mod pace;
pub(crate) mod room;
pub(crate) mod waiting;

/// What bodies may take.
#[derive(Clone, Debug)]
pub struct BodyLimits {
    /// How long one may stay without a byte.
    pub stall: Duration,
    /// How long one that is kept whole may take.
    pub deadline: Duration,
    /// How long each 64 KiB of one may take that takes much room from others; of whoever has proven nothing, a third of it.
    pub pace: Duration,
    /// Memory for those.
    pub memory: BodyMemory,
    /// Memory for those of strangers.
    pub(crate) strangers: BodyMemory,
}

impl BodyLimits {
    /// What is configured.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            stall: limits.stall,
            deadline: limits.body,
            pace: limits.pace,
            memory: BodyMemory::new(limits.memory_wait),
            strangers: BodyMemory::of_strangers(limits.memory_wait),
        }
    }

    /// How long each 64 KiB of a body may take.
    pub(crate) fn pace(&self, sender: &Sender) -> Duration {
        match sender {
            Sender::Proven { .. } => self.pace,
            Sender::Unproven(_) => self.pace / 3,
        }
    }
}

/// A body on its way in.
#[derive(Debug)]
pub(crate) struct RequestBody {
    incoming: Incoming,
    announced: Option<u64>,
    limits: BodyLimits,
    waiting: Waiting,
    read: WasRead,
}

/// Tells, even after the body was given away, how far it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct WasRead(Arc<Reading>);

#[derive(Debug, Default)]
struct Reading {
    ended: AtomicBool,
    owed: AtomicBool,
}

impl WasRead {
    /// Whether nothing of the body is left on the wire.
    pub(crate) fn to_the_end(&self) -> bool {
        self.0.ended.load(Relaxed)
    }

    /// Whether the server waits, or waited to no end, for the client to send more.
    pub(crate) fn is_owed(&self) -> bool {
        self.0.owed.load(Relaxed)
    }

    /// The client is asked for more.
    pub(crate) fn owe(&self) {
        self.0.owed.store(true, Relaxed);
    }

    fn came(&self) {
        self.0.owed.store(false, Relaxed);
    }

    fn end(&self) {
        self.came();
        self.0.ended.store(true, Relaxed);
    }
}

impl RequestBody {
    /// Wraps a body of which nothing was read.
    pub(crate) fn new(incoming: Incoming, limits: BodyLimits, waiting: Waiting) -> Self {
        let announced = incoming.size_hint().exact();
        let read = WasRead::default();
        if incoming.is_end_stream() {
            read.end();
        }
        Self {
            incoming,
            announced,
            limits,
            waiting,
            read,
        }
    }

    /// Watches how far it is read.
    pub(crate) fn was_read(&self) -> WasRead {
        self.read.clone()
    }

    /// Where it waits for room, beside others of its connection.
    pub(crate) fn waiting(&self) -> Waiting {
        self.waiting.clone()
    }

    /// Whether there may be bytes.
    pub(crate) fn may_have_bytes(&self) -> bool {
        self.announced != Some(0)
    }

    /// The next piece; never an empty one.
    pub(crate) async fn piece(&mut self) -> Option<Result<Bytes, Error>> {
        self.read.owe();
        loop {
            let frame = match timeout(self.limits.stall, self.incoming.frame()).await {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_) => return Some(Err(Error::BodyLate("no byte came".to_owned()))),
            };
            match frame.map(http_body::Frame::into_data) {
                Ok(Ok(bytes)) if !bytes.is_empty() => {
                    self.read.came();
                    return Some(Ok(bytes));
                }
                // An empty piece, or trailers, which mean nothing here.
                Ok(_) => {}
                Err(error) => return Some(Err(Error::BodyBroken(error.to_string()))),
            }
        }
        self.read.end();
        None
    }

    /// Reads all of it; `Ok(None)` when it is larger than `limit`. It counts as memory until the last of it is dropped.
    pub(crate) async fn whole(
        &mut self,
        limit: usize,
        sender: &Sender,
    ) -> Result<Option<Bytes>, Error> {
        let memory = self.limits.memory.clone();
        self.whole_in(&memory, limit, sender).await
    }

    /// The same for a body that no key at all stands for. Its memory is another, so that nobody without a key takes away
    /// what those with one need.
    pub(crate) async fn whole_of_stranger(
        &mut self,
        limit: usize,
        stranger: &Sender,
    ) -> Result<Option<Bytes>, Error> {
        let memory = self.limits.strangers.clone();
        self.whole_in(&memory, limit, stranger).await
    }

    /// Whether it announces so little that it waits for nobody.
    pub(crate) fn is_small(&self) -> bool {
        self.announced.is_some_and(|length| length <= LITTLE as u64)
    }

    async fn whole_in(
        &mut self,
        memory: &BodyMemory,
        limit: usize,
        sender: &Sender,
    ) -> Result<Option<Bytes>, Error> {
        if self.announced.is_some_and(|length| length > limit as u64) {
            return Ok(None);
        }
        let announced = self.announced.map(usize::try_from).transpose();
        let claim = memory.claim(announced.map_err(Error::internal)?, sender);
        let room = self.waiting.for_room(claim).await?;
        // The little that a small body takes may come slowly.
        let pace = Pace::new(if self.is_small() {
            self.limits.deadline
        } else {
            self.limits.pace(sender)
        });
        let late = || Error::BodyLate("it is not whole".to_owned());
        timeout(self.limits.deadline, self.read_whole(room, pace, limit))
            .await
            .unwrap_or_else(|_| Err(late()))
    }

    async fn read_whole(
        &mut self,
        mut room: Claim,
        mut pace: Pace,
        limit: usize,
    ) -> Result<Option<Bytes>, Error> {
        let (mut first, mut all) = (Bytes::new(), BytesMut::new());
        while let Some(piece) = pace.piece(self).await {
            let piece = piece?;
            if all.len() + first.len() + piece.len() > limit {
                return Ok(None);
            }
            self.waiting.for_room(room.grow(piece.len())).await?;
            // Most bodies come in one piece, which is then not copied.
            if first.is_empty() && all.is_empty() {
                first = piece;
            } else {
                all.extend_from_slice(&std::mem::take(&mut first));
                all.extend_from_slice(&piece);
            }
        }
        let whole = if all.is_empty() { first } else { all.freeze() };
        Ok(Some(room.hold(whole)))
    }
}

#[async_trait::async_trait]
impl Body for RequestBody {
    async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        self.piece().await
    }

    fn announced(&self) -> Option<u64> {
        self.announced
    }
}

//! Answers: bodies without copies, and the heads that all protocols share.

use std::{
    fmt, io,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes};
use futures_util::{Stream, stream};
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use longshore_registry::storage::blob::Download;
use serde::Serialize;

use crate::{
    body::room::Sender,
    listener::{InFlight, streams},
};

pub(crate) use self::memory::{AnswerMemory, Held};

mod memory;

type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// The largest piece of an answer in memory that is handed over at a time.
const FRAME: usize = streams::FRAME;
/// How long an answer that is larger may take to leave memory.
pub(crate) const DEADLINE: Duration = Duration::from_mins(5);

/// The body of an answer. Its request is in flight until its last byte is written or dropped.
#[derive(Debug)]
pub(crate) struct ReplyBody {
    content: Content,
    in_flight: Option<InFlight>,
}

enum Content {
    Whole {
        bytes: Bytes,
        /// When the first of them was asked for.
        begun: Option<Instant>,
    },
    Pieces {
        pieces: Pieces,
        /// What is there already.
        piece: Bytes,
        /// How many bytes are still to be handed over.
        left: u64,
    },
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} more bytes", self.left())
    }
}

impl Content {
    fn left(&self) -> u64 {
        match self {
            Self::Whole { bytes, .. } => bytes.len() as u64,
            Self::Pieces { left, .. } => *left,
        }
    }

    /// The next bytes, `most` of them at most.
    fn poll_next(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<Bytes>> {
        match self {
            Self::Whole { bytes, begun } => {
                if begun.is_none() && bytes.len() <= FRAME {
                    return Poll::Ready(Ok(std::mem::take(bytes)));
                }
                let begun = begun.get_or_insert_with(Instant::now);
                if begun.elapsed() > DEADLINE {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                // A copy, so that what lies in hyper's hands keeps no more alive than itself.
                let frame = Bytes::copy_from_slice(&bytes[..FRAME.min(bytes.len())]);
                bytes.advance(frame.len());
                if bytes.is_empty() {
                    // Even an empty slice keeps all of it.
                    *bytes = Bytes::new();
                }
                Poll::Ready(Ok(frame))
            }
            Self::Pieces {
                pieces,
                piece,
                left,
            } => {
                if piece.is_empty() {
                    let next = ready!(pieces.as_mut().poll_next(cx));
                    // What ends early must not look like the end.
                    *piece = next.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))?;
                }
                let bytes = piece.split_to(most.min(piece.len()));
                *left = left.saturating_sub(bytes.len() as u64);
                Poll::Ready(Ok(bytes))
            }
        }
    }
}

impl ReplyBody {
    /// No bytes.
    pub(crate) fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    /// Bytes in memory.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        let begun = None;
        Self::of(Content::Whole { bytes, begun })
    }

    /// The `length` bytes of a blob, of which `first` are there already.
    pub(crate) fn download(first: Bytes, rest: Download, length: u64) -> Self {
        let rest = stream::unfold(rest, |mut rest| async move {
            let piece = rest.next().await?;
            Some((piece.map_err(io::Error::other), rest))
        });
        Self::of(Content::Pieces {
            pieces: Box::pin(rest),
            piece: first,
            left: length,
        })
    }

    fn of(content: Content) -> Self {
        Self {
            content,
            in_flight: None,
        }
    }

    /// How many bytes of it are in memory for as long as it is not written; a blob on its way counts by itself.
    pub(crate) fn in_memory(&self) -> usize {
        match &self.content {
            Content::Whole { bytes, .. } => bytes.len(),
            Content::Pieces { .. } => 0,
        }
    }

    /// Keeps the request in flight until the body is written.
    #[must_use]
    pub(crate) fn during(mut self, in_flight: InFlight) -> Self {
        self.in_flight = Some(in_flight);
        self
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        let most = streams::largest_frame();
        let next = self.content.poll_next(cx, most);
        streams::handed_over(next.is_ready());
        let mut bytes = ready!(next)?;
        if self.is_end_stream()
            && let Some(in_flight) = self.in_flight.take()
        {
            let is_all = matches!(self.content, Content::Whole { begun: None, .. });
            bytes = in_flight.leave_with(bytes, is_all);
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.content.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.content.left())
    }
}

/// An answer of this server.
pub(crate) type Reply = Response<ReplyBody>;

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(ReplyBody::empty());
    *reply.status_mut() = status;
    reply
}

/// There is too much to do just now. Nothing was changed by the request.
pub(crate) fn busy() -> Reply {
    let mut reply = empty(StatusCode::SERVICE_UNAVAILABLE);
    let headers = reply.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    reply
}

/// Notes whom an answer is for, and the memory that it has already.
pub(crate) fn belongs_to<B>(answer: &mut Response<B>, whose: Sender, held: Option<Held>) {
    let extensions = answer.extensions_mut();
    extensions.insert(whose);
    if let Some(held) = held {
        extensions.insert(held);
    }
}

/// Finds memory for an answer, or a refusal in its place: what can still be refused changed nothing, and can be asked for
/// again when others have been written.
pub(crate) fn fit(
    memory: &AnswerMemory,
    client: IpAddr,
    mut reply: Reply,
) -> (Reply, Option<Held>) {
    let in_memory = reply.body().in_memory();
    let extensions = reply.extensions_mut();
    let held = extensions.remove::<Held>().or_else(|| {
        let whose = extensions.remove::<Sender>();
        memory.hold(
            &whose.unwrap_or_else(|| Sender::unproven(client)),
            in_memory,
        )
    });
    if held.is_some() {
        (reply, held)
    } else {
        (busy(), None)
    }
}

/// The answer to `HEAD`: the length of the body, and none of it. HTTP/2 would send it, which clients take for a breach.
pub(crate) fn head_of(mut reply: Reply) -> Reply {
    if let Some(length) = reply
        .body()
        .size_hint()
        .exact()
        .filter(|length| *length > 0)
    {
        let length = HeaderValue::from(length);
        reply.headers_mut().insert(header::CONTENT_LENGTH, length);
    }
    reply.map(|_| ReplyBody::empty())
}

/// An answer of bytes in memory.
pub(crate) fn bytes(
    status: StatusCode,
    content_type: &'static str,
    bytes: impl Into<Bytes>,
) -> Reply {
    let mut reply = Response::new(ReplyBody::whole(bytes.into()));
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

/// An answer in JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Reply {
    match serde_json::to_vec(value) {
        Ok(text) => bytes(status, "application/json", text),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written as JSON");
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// Sets a header to text that this server made, or that a parser has let pass.
pub(crate) fn set(reply: &mut Reply, name: impl header::IntoHeaderName, value: impl Into<String>) {
    match HeaderValue::try_from(value.into()) {
        Ok(value) => {
            reply.headers_mut().insert(name, value);
        }
        Err(error) => tracing::error!(%error, "a header cannot be written"),
    }
}

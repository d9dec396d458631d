//! Answers: bodies without copies, and the heads that all protocols share.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use longshore_registry::storage::blob::Download;
use serde::Serialize;

use crate::listener::InFlight;

type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// The body of an answer. While it lives, its request is in flight.
#[derive(Debug)]
pub(crate) struct ReplyBody {
    content: Content,
    in_flight: Option<InFlight>,
}

enum Content {
    Whole(Bytes),
    Pieces { pieces: Pieces, left: u64 },
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Pieces { left, .. } => write!(f, "{left} more bytes"),
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
        Self {
            content: Content::Whole(bytes),
            in_flight: None,
        }
    }

    /// The `length` bytes of a blob, of which `first` are there already.
    pub(crate) fn download(first: Bytes, rest: Download, length: u64) -> Self {
        let rest = stream::unfold(rest, |mut rest| async move {
            let piece = rest.next().await?;
            Some((piece.map_err(io::Error::other), rest))
        });
        let pieces = Box::pin(stream::StreamExt::chain(stream::iter([Ok(first)]), rest));
        Self {
            content: Content::Pieces {
                pieces,
                left: length,
            },
            in_flight: None,
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
        match &mut self.content {
            Content::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Pieces { left: 0, .. } => Poll::Ready(None),
            Content::Pieces { pieces, left } => {
                let piece = ready!(pieces.as_mut().poll_next(cx));
                // What ends early must not look like the end.
                let piece = piece.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))?;
                *left = left.saturating_sub(piece.len() as u64);
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Pieces { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.content {
            Content::Whole(bytes) => bytes.len() as u64,
            Content::Pieces { left, .. } => *left,
        })
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

//! HTTP/1.1: one request after another.
//!
//! An idle connection is parked: hyper's state and buffers go, and only the stream stays until its next byte.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use hyper::server::conn::http1::{Builder, Connection};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{activity::Activity, service::Service, stream::Stream};
use crate::config::Limits;

/// The largest piece of a body that is read at once.
const BUFFER: usize = 64 * 1024;
/// The largest head of a request.
const HEAD: usize = 32 * 1024;
/// How long a connection must be still before it is parked.
const PARK_AFTER: Duration = Duration::from_millis(100);
/// How long, and how many bytes, a client that was refused may go on before it is cut off.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 * 1024 * 1024;

/// Serves HTTP/1 connections.
#[derive(Clone, Debug)]
pub(super) struct Http1 {
    builder: Builder,
    idle: Duration,
    answer: Duration,
    stop: CancellationToken,
}

enum Driven {
    Idle,
    Ended,
    Stuck,
}

type Wire = Connection<TokioIo<Stream>, Service>;

impl Http1 {
    pub(super) fn new(limits: &Limits, stop: CancellationToken) -> Self {
        let mut builder = Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_header_size(HEAD)
            .max_buf_size(BUFFER);
        Self {
            builder,
            idle: limits.idle,
            answer: limits.answer,
            stop,
        }
    }

    pub(super) async fn serve(
        &self,
        mut stream: Stream,
        service: Service,
        activity: &Arc<Activity>,
    ) -> io::Result<()> {
        loop {
            let mut wire = self
                .builder
                .serve_connection(TokioIo::new(stream), service.clone());
            let driven = self.drive(&mut wire, activity).await;
            let parts = wire.into_parts();
            stream = parts.io.into_inner();
            match driven {
                Driven::Ended => return linger(stream, activity).await,
                // Nobody reads what would still be said.
                Driven::Stuck => return Err(io::ErrorKind::TimedOut.into()),
                Driven::Idle => stream.unread(parts.read_buf),
            }
            let woken = tokio::select! {
                biased;
                () = self.stop.cancelled() => return stream.shutdown().await,
                woken = timeout(self.idle, stream.readable()) => woken,
            };
            match woken {
                Ok(readable) => readable?,
                Err(_) => return stream.shutdown().await,
            }
        }
    }

    /// Runs the connection until it ends, has been still for a while, or does not get rid of an answer.
    async fn drive(&self, wire: &mut Wire, activity: &Activity) -> Driven {
        let mut stopped = pin!(self.stop.cancelled());
        let mut stopping = false;
        let mut check = pin!(sleep(PARK_AFTER));
        poll_fn(|cx| {
            if !stopping && stopped.as_mut().poll(cx).is_ready() {
                stopping = true;
                Pin::new(&mut *wire).graceful_shutdown();
            }
            // An error has been answered by hyper where it can be, and concerns nobody else.
            if wire.poll_without_shutdown(cx).is_ready() {
                return Poll::Ready(Driven::Ended);
            }
            while check.as_mut().poll(cx).is_ready() {
                if activity.was_idle() && !stopping {
                    return Poll::Ready(Driven::Idle);
                }
                // A client that takes a little of it now and then is not seen by the limit on silence.
                if activity.is_answered_for(self.answer) {
                    return Poll::Ready(Driven::Stuck);
                }
                check.as_mut().reset(Instant::now() + PARK_AFTER);
            }
            Poll::Pending
        })
        .await
    }
}

/// Closes, and lets the client finish what it is sending: a reset would take the answer with it.
async fn linger(mut stream: Stream, activity: &Activity) -> io::Result<()> {
    stream.shutdown().await?;
    if activity.has_ended() {
        return Ok(());
    }
    let discard = async {
        let mut left = LINGER_BYTES;
        let mut scrap = vec![0; 8 * 1024];
        while left > 0 {
            match stream.read(&mut scrap).await? {
                0 => break,
                n_bytes => left = left.saturating_sub(n_bytes),
            }
        }
        io::Result::Ok(())
    };
    // A client that does not end in time is cut off.
    timeout(LINGER, discard).await.unwrap_or(Ok(()))
}

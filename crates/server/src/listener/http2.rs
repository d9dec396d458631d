//! HTTP/2: many requests at a time, over windows of a bounded size.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use hyper::server::conn::http2::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{activity::Activity, service::Service, stream::Stream, streams::Streams};
use crate::config::Limits;

/// RFC 9113 asks for 100 at least, which clients count on before they have heard.
const STREAMS: u32 = 128;
/// Windows of streams when there is room for wide ones, and when there is not.
const WIDE: u32 = 1024 * 1024;
const NARROW: u32 = 64 * 1024;
/// How many streams fill the window of their connection: a body that waits unread for room must not keep the others from
/// coming in.
const FILLED_BY: u32 = 4;
const HEADERS: u32 = 32 * 1024;
const SEND_BUFFER: usize = 64 * 1024;
/// Streams that a client may reset before they were looked at (CVE-2023-44487), and errors it may provoke.
const RESETS: usize = 20;
const LOCAL_RESETS: usize = 256;
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_ANSWER: Duration = Duration::from_secs(20);

/// Serves HTTP/2 connections.
#[derive(Clone, Debug)]
pub(super) struct Http2 {
    builder: Builder<Streams>,
    idle: Duration,
    stall: Duration,
    stop: CancellationToken,
}

impl Http2 {
    pub(super) fn new(limits: &Limits, stop: CancellationToken) -> Self {
        let mut builder = Builder::new(Streams::new(limits.stall));
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEADERS)
            .max_send_buf_size(SEND_BUFFER)
            .max_pending_accept_reset_streams(RESETS)
            .max_local_error_reset_streams(LOCAL_RESETS)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_ANSWER);
        Self {
            builder,
            idle: limits.idle,
            stall: limits.stall,
            stop,
        }
    }

    pub(super) async fn serve(
        &self,
        stream: Stream,
        service: Service,
        activity: &Arc<Activity>,
        wide: Option<OwnedSemaphorePermit>,
    ) -> io::Result<()> {
        let window = if wide.is_some() { WIDE } else { NARROW };
        let mut builder = self.builder.clone();
        builder
            .initial_stream_window_size(window)
            .initial_connection_window_size(FILLED_BY * window);
        let mut wire = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut stopped = pin!(self.stop.cancelled());
        let mut idle = pin!(sleep(self.idle));
        let mut look = pin!(sleep(self.stall));
        let mut stopping: Option<Instant> = None;
        let ended = poll_fn(|cx| {
            let is_told = stopping.is_none() && stopped.as_mut().poll(cx).is_ready();
            let mut is_over = is_told;
            while idle.as_mut().poll(cx).is_ready() {
                is_over |= activity.has_no_requests();
                idle.as_mut().reset(Instant::now() + self.idle);
            }
            while look.as_mut().poll(cx).is_ready() {
                let is_stuck = activity.is_stuck();
                // Answers of which nothing is left but what the peer does not take end with the connection.
                let is_left = activity.has_no_requests() || is_stuck && activity.only_leaves();
                if stopping.is_some_and(|since| since.elapsed() >= self.stall) && is_left {
                    return Poll::Ready(Ok(()));
                }
                is_over |= is_stuck;
                look.as_mut().reset(Instant::now() + self.stall);
            }
            if is_over && stopping.is_none() {
                stopping = Some(Instant::now());
                wire.as_mut().graceful_shutdown();
            }
            Pin::new(&mut wire).poll(cx)
        })
        .await;
        ended.map_err(io::Error::other)
    }
}

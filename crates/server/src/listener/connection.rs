//! One connection from its first byte to its last: TLS, which HTTP, and the limits on both.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{net::TcpStream, sync::Semaphore, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    activity::Activity,
    http1::Http1,
    http2::Http2,
    service::Service,
    stream::{Io, Stream},
    tls::Tls,
};
use crate::{
    app::App,
    body::room::{Room, Shares},
    config::Limits,
};

/// How many connections at a time may have wide HTTP/2 windows.
const WIDE: usize = 32;

/// What all connections of a listener share.
pub(super) struct Connections {
    app: Arc<App>,
    tls: Option<Tls>,
    limits: Limits,
    stop: CancellationToken,
    abort: CancellationToken,
    http1: Http1,
    http2: Http2,
    wide: Arc<Semaphore>,
    places: Room,
}

impl Connections {
    /// `most` requests are taken at a time beyond the first of each connection, an eighth of them from one network.
    pub(super) fn new(
        app: Arc<App>,
        tls: Option<Tls>,
        limits: Limits,
        stop: CancellationToken,
        abort: CancellationToken,
        most: usize,
    ) -> Self {
        let http1 = Http1::new(&limits, stop.clone());
        let http2 = Http2::new(&limits, stop.clone());
        Self {
            app,
            tls,
            limits,
            stop,
            abort,
            http1,
            http2,
            wide: Arc::new(Semaphore::new(WIDE)),
            places: Room::new(Shares::of_networks(most), Duration::ZERO),
        }
    }

    /// Whether whoever connects from there stands for others.
    pub(super) fn is_proxy(&self, peer: IpAddr) -> bool {
        self.app.proxies.trusts(peer)
    }

    /// Counts a connection that was turned away.
    pub(super) fn refused(&self) {
        self.app.metrics.refused_connections.inc();
    }

    /// Serves one connection until it ends, or is ended.
    pub(super) async fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        let _open = self.app.metrics.open_connection();
        tokio::select! {
            biased;
            () = self.abort.cancelled() => {}
            ended = self.run(stream, peer) => if let Err(error) = ended {
                tracing::debug!(%peer, %error, "connection failed");
            },
        }
    }

    async fn run(&self, stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (io, is_http2) = match &self.tls {
            Some(tls) => {
                let stream = timeout(self.limits.head, tls.acceptor().accept(stream)).await??;
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                (Io::Tls(Box::new(stream)), is_http2)
            }
            None => match self.first_bytes(&stream).await? {
                Some(is_http2) => (Io::Plain(stream), is_http2),
                None => return Ok(()),
            },
        };
        let activity = Arc::new(Activity::default());
        let stream = Stream::new(io, activity.clone(), self.limits.stall);
        let service = Service::new(
            self.app.clone(),
            peer,
            activity.clone(),
            self.places.clone(),
        );
        if is_http2 {
            // Boxed, so that the connections that are not HTTP/2 do not pay for its state.
            let wide = self.wide.clone().try_acquire_owned().ok();
            Box::pin(self.http2.serve(stream, service, &activity, wide)).await
        } else {
            self.http1.serve(stream, service, &activity).await
        }
    }

    /// Waits for the client to say something; tells whether it speaks HTTP/2 from the start. `None` when it stays silent.
    async fn first_bytes(&self, stream: &TcpStream) -> io::Result<Option<bool>> {
        let mut start = [0; 3];
        let peeked = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Ok(None),
            peeked = timeout(self.limits.head, stream.peek(&mut start)) => peeked,
        };
        match peeked {
            Ok(Ok(0)) | Err(_) => Ok(None),
            Ok(Ok(_)) => Ok(Some(start == *b"PRI")),
            Ok(Err(error)) => Err(error),
        }
    }
}

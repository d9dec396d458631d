//! The accept loop: bounded connections, and an end that lets requests finish.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use self::{connection::Connections, spares::Spares, tls::Tls};
use crate::{app::App, body::room::site, config::Limits, slots::Slots};

mod activity;
mod connection;
mod http1;
mod http2;
mod service;
mod spares;
mod stream;
pub(crate) mod streams;
pub mod tls;

pub use self::activity::InFlight;

/// How many refusals are written at a time; further connections are dropped.
const REFUSALS: usize = 64;
/// How many connections there may be at a time where nobody says so, and descriptors are plenty.
const MOST: usize = 65_536;
/// How often it is told that there are no descriptors.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// How long the loop rests when the system has nothing left for another connection.
const EXHAUSTED: Duration = Duration::from_millis(50);
/// What a connection over the limit is told.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Accepts connections until it is told to stop.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    tls: Option<Tls>,
    limits: Limits,
    stop: CancellationToken,
    slots: Slots,
    most: usize,
    spares: Spares,
}

impl Listener {
    /// Takes the bound socket over.
    pub fn new(
        socket: TcpListener,
        tls: Option<Tls>,
        limits: Limits,
        stop: CancellationToken,
    ) -> Self {
        let affordable = affordable();
        let most = limits.connections.unwrap_or(MOST.min(affordable));
        if most > affordable {
            tracing::warn!(
                max_connections = most,
                affordable,
                "the limit on open files allows fewer connections"
            );
        }
        let most = most.min(affordable);
        Self {
            socket,
            tls,
            limits,
            stop,
            slots: Slots::new(most),
            most,
            spares: Spares::default(),
        }
    }

    /// Serves until stopped, then waits for what is in flight, but no longer than `drain`. Returns whether all ended in time.
    pub async fn run(self, app: Arc<App>, drain: Duration) -> bool {
        let abort = CancellationToken::new();
        let connections = Arc::new(Connections::new(
            app.clone(),
            self.tls.clone(),
            self.limits.clone(),
            self.stop.clone(),
            abort.clone(),
            self.most,
        ));
        let refusals = Arc::new(Semaphore::new(REFUSALS));
        self.spares.fill();
        let mut told: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(&connections, &refusals, stream, peer),
                Err(error) if is_exhausted(&error) => {
                    if told.is_none_or(|told| told.elapsed() > TELL_EVERY) {
                        tracing::warn!(%error, "there are no descriptors left for connections");
                        told = Some(Instant::now());
                    }
                    self.tell_one(&connections).await;
                }
                // It concerns the one connection, which is gone.
                Err(error) => tracing::debug!(%error, "a connection was not accepted"),
            }
        }
        drop(self.socket);
        let ended = timeout(drain, self.slots.all_free()).await.is_ok();
        if !ended {
            abort.cancel();
        }
        ended
    }

    fn admit(
        &self,
        connections: &Arc<Connections>,
        refusals: &Arc<Semaphore>,
        stream: TcpStream,
        peer: SocketAddr,
    ) {
        let slot = if connections.is_proxy(peer.ip()) {
            self.slots.take_for_proxy(peer.ip())
        } else {
            self.slots.take(site(peer.ip()))
        };
        match slot {
            Some(slot) => {
                let connections = connections.clone();
                tokio::spawn(async move {
                    connections.serve(stream, peer).await;
                    drop(slot);
                });
            }
            None => self.refuse(connections, refusals, stream),
        }
    }

    fn refuse(&self, connections: &Connections, refusals: &Arc<Semaphore>, stream: TcpStream) {
        connections.refused();
        // A TLS client could not read the refusal, and a handshake costs what there is too little of.
        if self.tls.is_none()
            && let Ok(permit) = refusals.clone().try_acquire_owned()
        {
            tokio::spawn(async move {
                refuse(stream).await;
                drop(permit);
            });
        }
    }

    /// Uses a descriptor that is kept for it to tell one client that there are no others. Rests when there is none.
    async fn tell_one(&self, connections: &Connections) {
        if !self.spares.free_one() {
            sleep(EXHAUSTED).await;
            self.spares.fill();
            return;
        }
        // Somebody else may have been faster, or the client has gone.
        if let Ok(Ok((stream, _))) = timeout(EXHAUSTED, self.socket.accept()).await {
            connections.refused();
            let (spares, is_plain) = (self.spares.clone(), self.tls.is_none());
            tokio::spawn(async move {
                if is_plain {
                    refuse(stream).await;
                }
                spares.fill();
            });
        } else {
            self.spares.fill();
        }
    }
}

async fn refuse(mut stream: TcpStream) {
    let told = async {
        stream.write_all(BUSY).await?;
        stream.shutdown().await?;
        // Closing with bytes unread would reset the connection and take the refusal with it.
        let mut scrap = [0; 1024];
        while stream.read(&mut scrap).await? > 0 {}
        io::Result::Ok(())
    };
    // Whether the client listens is its own affair.
    let _ = timeout(Duration::from_secs(1), told).await;
}

/// Whether the system has nothing left for another connection.
fn is_exhausted(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| exhausted.contains(&errno))
}

/// Three quarters of the open files; the others are for blobs and metadata.
fn affordable() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let files = files.map_or(usize::MAX, |files| {
        usize::try_from(files).unwrap_or(usize::MAX)
    });
    (files - files / 4).max(1)
}

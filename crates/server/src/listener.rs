//! The accept loop: bounded connections, and an end that lets requests finish.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use self::{connection::Connections, tls::Tls};
use crate::{app::App, config::Limits};

mod activity;
mod connection;
mod http1;
mod http2;
mod service;
mod stream;
pub(crate) mod streams;
pub mod tls;

pub use self::activity::InFlight;

/// How many refusals are written at a time; further connections are dropped.
const REFUSALS: usize = 64;
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
    slots: Arc<Semaphore>,
    most: usize,
}

impl Listener {
    /// Takes the bound socket over.
    pub fn new(
        socket: TcpListener,
        tls: Option<Tls>,
        limits: Limits,
        stop: CancellationToken,
    ) -> Self {
        let most = limits
            .connections
            .unwrap_or_else(affordable)
            .clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self {
            socket,
            tls,
            limits,
            stop,
            slots: Arc::new(Semaphore::new(most)),
            most,
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
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(&connections, &refusals, stream, peer),
                Err(error) => pause_after(&error).await,
            }
        }
        drop(self.socket);
        let all = u32::try_from(self.most).unwrap_or(u32::MAX);
        let ended = timeout(drain, self.slots.acquire_many(all)).await.is_ok();
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
        match self.slots.clone().try_acquire_owned() {
            Ok(slot) => {
                let connections = connections.clone();
                tokio::spawn(async move {
                    connections.serve(stream, peer).await;
                    drop(slot);
                });
            }
            Err(_) => self.refuse(connections, refusals, stream),
        }
    }

    fn refuse(&self, connections: &Connections, refusals: &Arc<Semaphore>, stream: TcpStream) {
        connections.refused();
        // A TLS client could not read the refusal, and a handshake costs what there is too little of.
        if self.tls.is_none()
            && let Ok(permit) = refusals.clone().try_acquire_owned()
        {
            tokio::spawn(refuse(stream, permit));
        }
    }
}

async fn refuse(mut stream: TcpStream, permit: OwnedSemaphorePermit) {
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
    drop(permit);
}

/// A failed accept concerns one connection, or means that the system has nothing left: then the loop rests.
async fn pause_after(error: &io::Error) {
    use rustix::io::Errno;
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    if Errno::from_io_error(error).is_some_and(|errno| exhausted.contains(&errno)) {
        tracing::warn!(%error, "no connection can be accepted for now");
        sleep(EXHAUSTED).await;
    }
}

/// Three quarters of the open files; the others are for blobs and metadata.
fn affordable() -> usize {
    const MOST: u64 = 65_536;
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .unwrap_or(MOST);
    usize::try_from((files - files / 4).min(MOST)).unwrap_or(1024)
}

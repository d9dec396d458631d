//! The life of a server: open, prepare, listen, stop.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use longshore_registry::{Core, Settings, bootstrap, core::TimeOrdered, job};
use longshore_store::meta::DataDirLock;
use longshore_types::account::{AccountId, Registry};
use tokio::{
    net::{TcpListener, lookup_host},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    aws::{Signatures, parts::PartMemory},
    backoff::BackOff,
    body::BodyLimits,
    config::Config,
    first_start::{self, Credentials, FirstStartError, Wanted},
    host::{Hosts, proxy::TrustedProxies},
    listener::{
        Listener,
        tls::{Tls, TlsError},
    },
    machine,
    metrics::{self, Metrics},
    oidc::{HttpsFetch, TrustError},
    reply::AnswerMemory,
    stores::{self, OpenError, Stores},
};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;
/// Where a store is served to a command: nobody else's business.
const LOOPBACK: &str = "127.0.0.1:0";

/// The server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address as it was given.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The data directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store cannot be prepared.
    #[error(transparent)]
    FirstStart(#[from] FirstStartError),
    /// The certificates that identity providers are trusted by cannot be used.
    #[error(transparent)]
    Oidc(#[from] TrustError),
    /// The product cannot be opened over its stores.
    #[error("the stores cannot be used")]
    Core(#[from] longshore_registry::Error),
    /// A thread of ours broke down.
    #[error("the server broke down while it started")]
    Thread(#[from] tokio::task::JoinError),
    /// The operator names another first account than the store has.
    #[error("the data directory's first account is {found}: leave `--account` out, or say that")]
    Account {
        /// The store's own.
        found: AccountId,
    },
    /// The Region cannot be one.
    #[error("the server has no region")]
    Region(#[from] longshore_types::account::InvalidRegistry),
}

/// A server that accepts requests.
#[derive(Debug)]
pub struct RunningServer {
    /// What clients reach it by.
    pub url: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where metrics are served, if they are.
    pub metrics_address: Option<SocketAddr>,
    /// The administrator's credentials, at first start.
    pub first_start: Option<Credentials>,
    /// The product, for tests that look behind the wire.
    pub core: Arc<Core>,
    stop: CancellationToken,
    serving: JoinHandle<bool>,
    background: Background,
    lock: DataDirLock,
}

impl RunningServer {
    /// Stops accepting, waits for what is in flight as long as the configuration allows, and ends. Returns whether all ended in time.
    pub async fn stop(self) -> bool {
        self.stop.cancel();
        let ended = self.serving.await.unwrap_or(false);
        drop(self.background);
        if let Err(error) = job::finish(&self.core).await {
            tracing::warn!(%error, "the last uses of keys, roles and images are not kept");
        }
        drop(self.core);
        drop(self.lock);
        ended
    }
}

/// Tasks that end with the server.
#[derive(Debug, Default)]
struct Background(Vec<JoinHandle<()>>);

impl Background {
    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.push(tokio::spawn(task));
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// Starts a server; it accepts requests when this returns.
pub async fn start(config: Config) -> Result<RunningServer, StartError> {
    let socket = bind(&config.listen).await?;
    let metrics_socket = match &config.metrics_listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let address = local_address(&socket, &config.listen)?;
    let tls = config.tls.clone().map(Tls::load).transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = url(scheme, address);
    let identity_providers = HttpsFetch::new(&config.oidc)?;
    let opened = config.clone();
    let Stores {
        lock,
        master,
        meta,
        blobs,
    } = tokio::task::spawn_blocking(move || Stores::open(&opened)).await??;
    let wanted = Wanted {
        data_dir: &config.data_dir,
        account: config.account.unwrap_or(AccountId::ZERO),
        key: config.root.clone(),
        url: &url,
        region: config.region,
    };
    // An account that is made shows its credentials once, so what would keep the server from starting is found before.
    blobs.check().await.map_err(OpenError::Blobs)?;
    let first_start = first_start::prepare(&meta, &master, wanted).await?;
    let identity = bootstrap::identity(&meta).await?;
    stores::bind(&blobs, &identity).await?;
    let settings = settings(&config, identity.first_account)?;
    let core = Core::open(meta, blobs, master, settings, Box::new(TimeOrdered)).await?;
    let core = Arc::new(core.fetching(Arc::new(identity_providers)));
    let app = app(&config, core.clone(), address, scheme);
    let metrics = &app.metrics;
    let mut background = Background::default();
    background.spawn(job::run(core.clone()));
    if let Some(tls) = tls.clone() {
        background.spawn(tls.watch());
    }
    let metrics_address = metrics_socket
        .as_ref()
        .and_then(|socket| socket.local_addr().ok());
    if let Some(socket) = metrics_socket {
        background.spawn(metrics::listener::run(socket, metrics.clone()));
    }
    let stop = CancellationToken::new();
    let listener = Listener::new(socket, tls, config.limits.clone(), stop.clone());
    let serving = tokio::spawn(listener.run(app, config.drain));
    Ok(RunningServer {
        url,
        address,
        metrics_address,
        first_start,
        core,
        stop,
        serving,
        background,
        lock,
    })
}

/// What requests to a server at `address` share.
fn app(config: &Config, core: Arc<Core>, address: SocketAddr, scheme: &'static str) -> Arc<App> {
    let bodies = BodyLimits::new(&config.limits);
    let parts = PartMemory::new(config.limits.memory_wait);
    let answers = AnswerMemory::new(machine::memory());
    let limits = metrics::limits::Limits {
        core: core.clone(),
        bodies: bodies.memory.clone(),
        parts: parts.clone(),
        answers: answers.clone(),
    };
    let metrics = Metrics::new(core.clone(), limits);
    Arc::new(App {
        core,
        hosts: Hosts::new(config.domain.as_deref()),
        address,
        scheme,
        anonymous_challenge: config.anonymous_challenge,
        proxies: TrustedProxies::new(config.trusted_proxies.clone()),
        bodies,
        answers,
        backoff: BackOff::new(
            metrics.failed_authentications.clone(),
            metrics.refused_authentications.clone(),
        ),
        metrics,
        signatures: Signatures::default(),
        parts,
    })
}

/// A store that is served to a command of the operator, beside a running server or without one. It sweeps nothing.
#[derive(Debug)]
pub struct Beside {
    /// Where it is served: on a port of the loopback interface.
    pub url: String,
    /// The product.
    pub core: Arc<Core>,
    stop: CancellationToken,
    serving: JoinHandle<bool>,
}

impl Beside {
    /// Ends it.
    pub async fn stop(self) {
        self.stop.cancel();
        // What a client of ours left open is of no use to anybody.
        drop(self.serving.await);
    }
}

/// Serves a store that is there to whoever has credentials for it.
pub async fn beside(config: &Config) -> Result<Beside, StartError> {
    let core = Arc::new(open_beside(config).await?);
    let socket = bind(LOOPBACK).await?;
    let address = local_address(&socket, LOOPBACK)?;
    let app = app(config, core.clone(), address, "http");
    let stop = CancellationToken::new();
    let listener = Listener::new(socket, None, config.limits.clone(), stop.clone());
    Ok(Beside {
        url: format!("http://{address}"),
        core,
        stop,
        serving: tokio::spawn(listener.run(app, Duration::ZERO)),
    })
}

/// Opens the product over a store that is there, beside a running server or without one, for a command of the operator.
pub async fn open_beside(config: &Config) -> Result<Core, StartError> {
    let opened = config.clone();
    let open = move || -> Result<_, OpenError> {
        // A server may start meanwhile: the lock goes at once.
        let (meta, master, _) = stores::open_beside(&opened)?;
        Ok((meta, master, stores::open_blobs(&opened)?))
    };
    let (meta, master, blobs) = tokio::task::spawn_blocking(open).await??;
    bootstrap::check(&meta, &master)
        .await
        .map_err(FirstStartError::from)?;
    let identity = bootstrap::identity(&meta).await?;
    stores::bind(&blobs, &identity).await?;
    let settings = settings(config, identity.first_account)?;
    Ok(Core::open(meta, blobs, master, settings, Box::new(TimeOrdered)).await?)
}

/// What the operator chose for a store whose first account is `found`.
fn settings(config: &Config, found: AccountId) -> Result<Settings, StartError> {
    if config.account.is_some_and(|account| account != found) {
        return Err(StartError::Account { found });
    }
    Ok(Settings {
        open_uploads: config.limits.open_uploads,
        rate_quotas: config.rate_quotas.clone(),
        count_quotas: config.count_quotas.clone(),
        lifecycle_interval: config.lifecycle_interval,
        redirect_pulls: config.redirect_pulls,
        ..Settings::new(Registry::private(found, config.region)?)
    })
}

/// Tries the addresses of a name in turn.
async fn bind(address: &str) -> Result<TcpListener, StartError> {
    let failed = |source| StartError::Listen {
        address: address.to_owned(),
        source,
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for candidate in lookup_host(address).await.map_err(failed)? {
        match listen(candidate) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        tokio::net::TcpSocket::new_v4()?
    } else {
        tokio::net::TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn local_address(socket: &TcpListener, given: &str) -> Result<SocketAddr, StartError> {
    socket.local_addr().map_err(|source| StartError::Listen {
        address: given.to_owned(),
        source,
    })
}

/// `localhost` where a client on this machine reaches the listener by it.
fn url(scheme: &str, address: SocketAddr) -> String {
    let ip: IpAddr = address.ip();
    if ip.is_loopback() || ip.is_unspecified() {
        format!("{scheme}://localhost:{}", address.port())
    } else {
        format!("{scheme}://{address}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_wildcard_addresses_are_called_localhost() {
        for (address, expected) in [
            ("127.0.0.1:5050", "http://localhost:5050"),
            ("0.0.0.0:1", "http://localhost:1"),
            ("[::]:2", "http://localhost:2"),
            ("[::1]:3", "http://localhost:3"),
            ("192.0.2.1:4", "http://192.0.2.1:4"),
            ("[2001:db8::1]:5", "http://[2001:db8::1]:5"),
        ] {
            assert_eq!(url("http", address.parse().unwrap()), expected);
        }
    }
}

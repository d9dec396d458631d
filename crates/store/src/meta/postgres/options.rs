//! Which database, and how it is used.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

#[cfg(any(test, feature = "faults"))]
use crate::meta::Faults;
use crate::meta::clock::Clock;
use crate::meta::migration::Migration;

/// How a database is used.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    pub(super) config: Config,
    /// Missing where the connection is not encrypted.
    pub(super) tls: Option<MakeRustlsConnect>,
    /// The schema that the program knows.
    pub migrations: &'static [Migration],
    /// Reading threads, each with a connection of its own.
    pub readers: usize,
    /// Writing threads, each with a connection of its own.
    pub writers: usize,
    /// Closures that may wait to write, and as many to read; more are [`crate::meta::Error::Overloaded`].
    pub queue: usize,
    /// The source of time, in place of the database's clock.
    pub clock: Option<Arc<dyn Clock>>,
    /// How long the server may take over one statement.
    pub statement_timeout: Duration,
    /// How long a statement may wait for one row lock.
    pub lock_timeout: Duration,
    /// How long a lost answer to a commit is looked for.
    pub decide_within: Duration,
    /// Pause between looks at the database: its clock, its schema, whether it is there.
    pub watch_every: Duration,
    /// Failures to provoke.
    #[cfg(any(test, feature = "faults"))]
    pub faults: Option<Arc<dyn Faults>>,
}

/// The URL of a database cannot be used. Tells nothing of its password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUrl {
    /// It is none, or has an option that is not known.
    #[error("{0}")]
    Unreadable(String),
    /// Neither encrypted and verified nor expressly plain.
    #[error("`sslmode` is `disable` or `require`, which always verifies the server's certificate")]
    SslMode,
    /// TLS cannot be had.
    #[error("TLS cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

impl Options {
    /// Returns the defaults for the database at `url`, a `postgres://` URL of libpq.
    ///
    /// The connection is encrypted, and the server's certificate proven by `roots`, unless the URL says
    /// `sslmode=disable` or the server is reached by a socket or on this machine.
    pub fn url(
        url: &str,
        roots: RootCertStore,
        migrations: &'static [Migration],
    ) -> Result<Self, InvalidUrl> {
        // Both ask for what `require` does here anyway.
        let verified = url
            .replace("sslmode=verify-full", "sslmode=require")
            .replace("sslmode=verify-ca", "sslmode=require");
        let mut config: Config = verified
            .parse()
            .map_err(|error| InvalidUrl::Unreadable(described(&error)))?;
        let is_chosen = url.contains("sslmode=");
        let tls = match config.get_ssl_mode() {
            SslMode::Disable => None,
            SslMode::Require => Some(verifying(roots)?),
            _ if is_chosen => return Err(InvalidUrl::SslMode),
            _ if is_local(&config) => None,
            _ => Some(verifying(roots)?),
        };
        config.ssl_mode(if tls.is_some() {
            SslMode::Require
        } else {
            SslMode::Disable
        });
        if config.get_application_name().is_none() {
            config.application_name("longshore");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        config
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .keepalives_idle(Duration::from_secs(15))
            .tcp_user_timeout(Duration::from_secs(30));
        Ok(Self {
            config,
            tls,
            migrations,
            readers: 4,
            writers: 12,
            queue: 4096,
            clock: None,
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(10),
            decide_within: Duration::from_secs(10),
            watch_every: Duration::from_secs(1),
            #[cfg(any(test, feature = "faults"))]
            faults: None,
        })
    }

    /// Returns the options with that many connections in all, four at least: one watches, a quarter of the rest reads.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        let rest = connections.max(4) - 1;
        self.readers = (rest / 4).max(1);
        self.writers = rest - self.readers;
        self
    }
}

/// The reason stands in the error's source.
fn described(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

fn verifying(roots: RootCertStore) -> Result<MakeRustlsConnect, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// Whether nobody but this machine carries what is sent.
fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse()
                    .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }) && config
        .get_hostaddrs()
        .iter()
        .all(std::net::IpAddr::is_loopback)
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("hosts", &self.config.get_hosts())
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Result<Options, InvalidUrl> {
        Options::url(url, RootCertStore::empty(), &[])
    }

    #[test]
    fn only_what_stays_on_this_machine_goes_plain_unasked() {
        for (url, tls) in [
            ("postgres://a@localhost/b", false),
            ("postgres://a@127.0.0.1:6000/b", false),
            ("postgres:///b?host=/run/postgresql", false),
            ("postgres://a@db.example.com/b", true),
            ("postgres://a@localhost,db.example.com/b", true),
            ("postgres://a@localhost/b?hostaddr=192.0.2.1", true),
            ("postgres://a@db.example.com/b?sslmode=disable", false),
            ("postgres://a@localhost/b?sslmode=require", true),
            ("postgres://a@localhost/b?sslmode=verify-full", true),
        ] {
            assert_eq!(of(url).unwrap().tls.is_some(), tls, "{url}");
        }
        let refused = of("postgres://a@localhost/b?sslmode=prefer");
        assert!(matches!(refused, Err(InvalidUrl::SslMode)), "{refused:?}");
    }

    #[test]
    fn an_unreadable_url_does_not_show_its_password() {
        for url in [
            "postgres://a:geheim@h:port/b",
            "postgres://a:geheim@h/b?what=1",
        ] {
            let error = of(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("geheim"), "{error}");
        }
        let options = of("postgres://a:geheim@h/b").unwrap();
        assert!(!format!("{options:?}").contains("geheim"));
    }

    #[test]
    fn connections_are_shared_out() {
        for (connections, readers, writers) in [(0, 1, 2), (4, 1, 2), (17, 4, 12), (41, 10, 30)] {
            let options = of("postgres:///b").unwrap().connections(connections);
            assert_eq!((options.readers, options.writers), (readers, writers));
        }
    }
}

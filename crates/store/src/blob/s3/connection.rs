//! Connections to the server: HTTP/1.1, kept for reuse, with TLS when the endpoint says so.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use super::super::pool::FRAME_LEN;
use super::body::Body;
use super::options::{Patience, S3Error};

/// How long a connection is kept without use; servers close theirs after some ten seconds or more.
const IDLE: Duration = Duration::from_secs(8);
const MAX_IDLE: usize = 64;

pub(super) type Connections = Client<HttpsConnector<HttpConnector>, Body>;

/// Makes the pool of connections. What a connection reads ahead is bounded by a frame.
pub(super) fn connections(
    patience: Patience,
    ca_file: Option<&Path>,
) -> Result<Connections, S3Error> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(patience.connect));
    connector.set_keepalive(Some(Duration::from_secs(30)));
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls(ca_file)?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MAX_IDLE)
        .http1_max_buf_size(FRAME_LEN)
        .build(https))
}

fn tls(ca_file: Option<&Path>) -> Result<ClientConfig, S3Error> {
    let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    if let Some(path) = ca_file {
        let in_file = |source| S3Error::Certificates {
            path: path.to_owned(),
            source,
        };
        for certificate in read(path).map_err(in_file)? {
            roots.add(certificate)?;
        }
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn read(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_file_iter(path).map_err(io::Error::other)?;
    let certificates: Result<Vec<_>, _> = certificates.collect();
    let certificates = certificates.map_err(io::Error::other)?;
    if certificates.is_empty() {
        return Err(io::Error::other("it holds no certificate"));
    }
    Ok(certificates)
}

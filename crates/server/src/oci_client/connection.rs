//! Connections to registries: HTTP/1.1, kept for reuse, with TLS where the URL says so.

use std::{io, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, crypto::aws_lc_rs};
use tokio::time::timeout;

use super::error::ClientError;
use crate::oidc::{TrustError, roots};

/// How long a connection is kept without use.
const IDLE: Duration = Duration::from_secs(8);
/// How long a registry may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long it may think before it answers; the last bytes of a large blob are answered when it is stored.
const PATIENCE: Duration = Duration::from_mins(5);
/// Bytes a second that a long body may be expected to take at least.
const SLOWEST: u64 = 64 * 1024;
/// What a connection reads ahead, in bytes.
const READ_AHEAD: usize = 64 * 1024;

/// What a request carries.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Connections to any number of registries.
#[derive(Clone, Debug)]
pub(crate) struct Connections(Client<HttpsConnector<HttpConnector>, Body>);

impl Connections {
    /// Trusts Mozilla's roots, and those in `ca_file` (PEM).
    pub(crate) fn new(ca_file: Option<&Path>) -> Result<Self, TrustError> {
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots(ca_file)?)
            .with_no_client_auth();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_keepalive(Some(Duration::from_secs(30)));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Self(
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .http1_max_buf_size(READ_AHEAD)
                .build(https),
        ))
    }

    /// Sends a request with little or no body once; returns when the head of the answer is there.
    pub(super) async fn send(
        &self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, ClientError> {
        self.send_long(request, 0).await
    }

    /// The same for a body of so many bytes, which may take its time.
    pub(super) async fn send_long(
        &self,
        request: Request<Body>,
        bytes: u64,
    ) -> Result<Response<Incoming>, ClientError> {
        let patience = PATIENCE + Duration::from_secs(bytes / SLOWEST);
        let url = request.uri().to_string();
        let url = url.split('?').next().unwrap_or_default();
        match timeout(patience, self.0.request(request)).await {
            Ok(answer) => answer.map_err(|error| ClientError::lost(url, chain(&error))),
            Err(_) => Err(ClientError::lost(url, "it does not answer")),
        }
    }
}

/// An error with its causes, which say more than it does.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

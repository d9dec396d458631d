//! How a request reached the server: its scheme, its host and what that host stands for.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, Uri, header, request::Parts};
use longshore_registry::{RequestFacts, endpoints::Endpoints};
use longshore_types::account::Registry;

use crate::{
    app::App,
    host::{HostKind, is_host, proxy::Forwarded},
};

/// Where a request was sent to, and from where.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// `http` or `https`, as the client used it.
    pub scheme: &'static str,
    /// The host, with its port, as the client named it.
    pub host: String,
    /// What the host stands for.
    pub kind: HostKind,
    /// Where the client is.
    pub client: IpAddr,
}

/// The request names no host, several, or something that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request names no valid host")]
pub(crate) struct InvalidHost;

impl Origin {
    /// Reads the head of a request.
    pub(crate) fn of(app: &App, peer: SocketAddr, head: &Parts) -> Result<Self, InvalidHost> {
        let told = app.proxies.forwarded(peer.ip(), &head.headers);
        let Forwarded {
            scheme,
            host,
            client,
        } = told;
        let host = match host {
            Some(host) => host,
            None => named(&head.uri, head)?.unwrap_or_else(|| app.address.to_string()),
        };
        Ok(Self {
            kind: app.hosts.kind(&host),
            scheme: scheme.unwrap_or(app.scheme),
            host,
            client: client.unwrap_or(peer.ip()),
        })
    }

    /// What policies may ask about a request with these headers.
    pub(crate) fn facts<'a>(&self, headers: &'a HeaderMap) -> RequestFacts<'a> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        RequestFacts {
            client: Some(self.client.to_canonical()),
            is_secure: self.scheme == "https",
            user_agent: text(header::USER_AGENT),
            referer: text(header::REFERER),
        }
    }

    /// The addresses for answers to a caller whom this host leads to `registry`.
    pub(crate) fn endpoints(&self, app: &App, registry: Registry) -> Endpoints {
        Endpoints {
            scheme: self.scheme,
            host: self.host.clone(),
            ecr_shaped: self.kind.is_ecr_shaped(),
            leads_to: registry,
            domain: app.hosts.domain().to_owned(),
            port: app.address.port(),
        }
    }
}

/// HTTP/1.0 may leave the host out.
fn named(uri: &Uri, head: &Parts) -> Result<Option<String>, InvalidHost> {
    let mut values = head.headers.get_all(header::HOST).iter();
    let in_header = match (values.next(), values.next()) {
        (Some(value), None) => Some(value.to_str().map_err(|_| InvalidHost)?),
        (Some(_), Some(_)) => return Err(InvalidHost),
        (None, _) => None,
    };
    // The authority of the target, which HTTP/2 and proxies send, beats the header.
    match uri
        .authority()
        .map(http::uri::Authority::as_str)
        .or(in_header)
    {
        Some(host) if is_host(host) => Ok(Some(host.to_owned())),
        None if head.version <= http::Version::HTTP_10 => Ok(None),
        _ => Err(InvalidHost),
    }
}

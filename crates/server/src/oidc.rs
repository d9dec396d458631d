//! Fetching documents of identity providers over HTTPS, without being turned on inside addresses.
//!
//! The name in a URL is resolved here, addresses that a stranger must not reach are struck out, and the connection goes
//! to one that is left: a name that resolves differently the next time, or to several addresses, gains nothing. No
//! redirect is followed, no proxy is used, and a connection serves one request.

use std::{io, net::SocketAddr, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use longshore_registry::sts::oidc::{Fetch, FetchError, MAX_DOCUMENT};
use rustls_pki_types::ServerName;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use self::address::Addresses;
pub(crate) use self::trust::{Trust, roots};
use crate::{
    config,
    exchange::{ExchangeError, exchange},
};

mod address;
mod trust;

pub use self::trust::TrustError;

/// How long a document may take, from the name to the last byte.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one address may take to accept a connection, so that another can be tried.
const ONE_ADDRESS: Duration = Duration::from_secs(2);
/// The port of URLs that name none.
const HTTPS: u16 = 443;

/// Gets documents over HTTPS.
#[derive(Debug)]
pub struct HttpsFetch {
    addresses: Addresses,
    trust: Trust,
}

impl HttpsFetch {
    /// Reads the certificates that are trusted.
    pub fn new(config: &config::Oidc) -> Result<Self, TrustError> {
        Ok(Self {
            addresses: Addresses::allowing(config.allow_networks.clone()),
            trust: Trust::load(config.ca_file.as_deref())?,
        })
    }

    async fn exchange(&self, url: &str, thumbprints: &[String]) -> Result<Bytes, FetchError> {
        let target = Target::parse(url)?;
        let stream = self.connect(&target).await?;
        let stream = self.secure(&target, stream, thumbprints).await?;
        let answer = exchange(stream, target.request()?, MAX_DOCUMENT).await?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status().as_u16()));
        }
        Ok(answer.into_body())
    }

    /// Connects to the first allowed address that answers.
    async fn connect(&self, target: &Target) -> Result<TcpStream, FetchError> {
        let found = lookup_host((target.host.as_str(), target.port))
            .await
            .map_err(unreachable)?;
        let allowed: Vec<SocketAddr> = found
            .filter(|address| self.addresses.allow(address.ip()))
            .collect();
        let mut last = FetchError::Address;
        for address in allowed {
            match timeout(ONE_ADDRESS, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = unreachable(error),
                Err(_) => last = unreachable("an address does not answer"),
            }
        }
        Err(last)
    }

    async fn secure(
        &self,
        target: &Target,
        stream: TcpStream,
        thumbprints: &[String],
    ) -> Result<TlsStream<TcpStream>, FetchError> {
        let name = ServerName::try_from(target.host.clone()).map_err(|_| FetchError::Url)?;
        let connector = self.trust.connector(thumbprints).map_err(unreachable)?;
        connector.connect(name, stream).await.map_err(handshake)
    }
}

#[async_trait]
impl Fetch for HttpsFetch {
    async fn get(&self, url: &str, thumbprints: &[String]) -> Result<Bytes, FetchError> {
        let exchange = Box::pin(self.exchange(url, thumbprints));
        let slow = |_| FetchError::Unreachable("it takes too long".to_owned());
        timeout(PATIENCE, exchange).await.map_err(slow)?
    }
}

/// A URL that may be fetched, taken apart.
struct Target {
    uri: Uri,
    /// A name or an address, without the brackets of an IPv6 address.
    host: String,
    port: u16,
}

impl Target {
    /// Takes absolute `https` URLs without user information.
    fn parse(url: &str) -> Result<Self, FetchError> {
        let uri: Uri = url.parse().map_err(|_| FetchError::Url)?;
        let authority = uri.authority().ok_or(FetchError::Url)?;
        if uri.scheme_str() != Some("https") || authority.as_str().contains('@') {
            return Err(FetchError::Url);
        }
        let host = authority.host();
        let port = if authority.as_str() == host {
            HTTPS
        } else {
            authority.port_u16().ok_or(FetchError::Url)?
        };
        let address = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = address.unwrap_or(host).to_owned();
        Ok(Self { uri, host, port })
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, FetchError> {
        let authority = self
            .uri
            .authority()
            .map_or("", |authority| authority.as_str());
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        Request::get(path)
            .header(header::HOST, authority)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, "longshore")
            .header(header::CONNECTION, "close")
            .body(Full::default())
            .map_err(|_| FetchError::Url)
    }
}

fn unreachable(error: impl std::fmt::Display) -> FetchError {
    FetchError::Unreachable(error.to_string())
}

impl From<ExchangeError> for FetchError {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Broken(reason) => Self::Unreachable(reason),
            ExchangeError::TooLarge => Self::TooLarge,
        }
    }
}

/// Tells a certificate that is not trusted from a connection that broke.
fn handshake(error: io::Error) -> FetchError {
    let cause = error
        .get_ref()
        .and_then(|source| source.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(why)) => FetchError::Certificate(why.to_string()),
        _ => unreachable(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_urls_without_a_user_are_fetched() {
        for (url, host, port) in [
            (
                "https://issuer.example/.well-known/x",
                "issuer.example",
                443,
            ),
            ("https://issuer.example:8443/x?y=z", "issuer.example", 8443),
            ("https://[2001:db8::1]/x", "2001:db8::1", 443),
        ] {
            let target = Target::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!((target.host.as_str(), target.port), (host, port));
        }
        for url in [
            "",
            "/x",
            "issuer.example",
            "http://issuer.example/x",
            "file:///etc/passwd",
            "https:///x",
            "https://user@issuer.example/x",
            "https://trusted.example@issuer.example/x",
            "https://issuer.example:65536/x",
            "https://issuer example/x",
        ] {
            assert_eq!(Target::parse(url).err(), Some(FetchError::Url), "{url}");
        }
    }
}

//! The seam between the rules about identity providers and the network.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

/// The largest document that is taken from an identity provider, in bytes.
pub const MAX_DOCUMENT: usize = 1 << 20;

/// Gets documents from identity providers.
#[async_trait]
pub trait Fetch: Send + Sync + fmt::Debug {
    /// Returns the body of the `https` URL: within five seconds, following no redirect, of [`MAX_DOCUMENT`] bytes at
    /// most, and from no address that a stranger must not make this server talk to. The server's certificate chain
    /// ends in a known root, or holds a certificate whose SHA-1 in lower-case hexadecimal is in `thumbprints`.
    async fn get(&self, url: &str, thumbprints: &[String]) -> Result<Bytes, FetchError>;
}

/// A document cannot be had. The texts are for the log: what the network looks like from here is nobody's business.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The URL is not one that is fetched.
    #[error("the URL is not https")]
    Url,
    /// No address of the host may be connected to.
    #[error("no address of the host is allowed")]
    Address,
    /// The host cannot be reached, or does not answer in time.
    #[error("the host does not answer: {0}")]
    Unreachable(String),
    /// The certificate is nobody's that is trusted.
    #[error("the certificate is not trusted: {0}")]
    Certificate(String),
    /// It answered something else than 200.
    #[error("the host answers with status {0}")]
    Status(u16),
    /// The document is too large.
    #[error("the document is larger than {MAX_DOCUMENT} bytes")]
    TooLarge,
}

/// Gets nothing: a product that is not on any network.
#[derive(Debug)]
pub struct Offline;

#[async_trait]
impl Fetch for Offline {
    async fn get(&self, _: &str, _: &[String]) -> Result<Bytes, FetchError> {
        Err(FetchError::Unreachable("there is no network".to_owned()))
    }
}

//! Where a bucket is and who may use it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use http::uri::{Authority, Scheme};

/// Where segments are kept and how they are reached.
#[derive(Clone)]
pub struct S3Options {
    /// `http://HOST[:PORT]` or `https://HOST[:PORT]`; without one, Amazon's in the region.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// The bucket, which must exist.
    pub bucket: String,
    /// What the names of objects begin with, without a slash at either end; may be empty.
    pub prefix: String,
    /// The access key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
    /// The token of a session, if the key is one of a session.
    pub session_token: Option<String>,
    /// Certificates (PEM) that the server is trusted by, besides the public roots.
    pub ca_file: Option<PathBuf>,
    /// A directory for files without a name.
    pub spool: PathBuf,
    /// How long to wait and how often to try.
    pub patience: Patience,
}

/// How long to wait for the server, and how often to ask.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long the server may take to accept a connection.
    pub connect: Duration,
    /// How long it may take for a request, besides the time for its bytes; and between two pieces of an answer.
    pub request: Duration,
    /// How long it may take to put an object together from its parts.
    pub complete: Duration,
    /// How often a request is sent at most.
    pub tries: u32,
    /// How long to wait before it is sent again; twice as long each time.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(20),
            complete: Duration::from_mins(2),
            tries: 5,
            pause: Duration::from_millis(200),
        }
    }
}

/// The options cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    /// The endpoint is not one.
    #[error("the S3 endpoint `{0}` is not `http://HOST[:PORT]` or `https://HOST[:PORT]`")]
    Endpoint(String),
    /// The bucket's name is not one.
    #[error("`{0}` cannot be the name of a bucket")]
    Bucket(String),
    /// The prefix has other characters, or empty or dotted segments.
    #[error("the prefix `{0}` is not made of `A-Z a-z 0-9 . _ -` between slashes")]
    Prefix(String),
    /// The region or a key has characters that no header takes.
    #[error("the S3 {0} is empty or has characters that it cannot have")]
    Text(&'static str),
    /// The file of certificates cannot be read.
    #[error("the certificates in `{}` cannot be used", .path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// TLS does not work.
    #[error("TLS does not work")]
    Tls(#[from] rustls::Error),
}

impl S3Options {
    /// Checks everything that becomes part of a request; returns where the server is.
    pub(super) fn check(&self) -> Result<(Scheme, Authority), S3Error> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let bucket = &self.bucket;
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(legal) || is_dotted(bucket) {
            return Err(S3Error::Bucket(bucket.clone()));
        }
        let segment = |text: &str| !text.is_empty() && !is_dotted(text) && text.bytes().all(legal);
        let prefix = &self.prefix;
        if !prefix.is_empty() && (prefix.len() > 512 || !prefix.split('/').all(segment)) {
            return Err(S3Error::Prefix(prefix.clone()));
        }
        let texts = [
            ("region", Some(&self.region)),
            ("access key id", Some(&self.access_key_id)),
            ("secret access key", Some(&self.secret_access_key)),
            ("session token", self.session_token.as_ref()),
        ];
        for (name, text) in texts {
            let visible = |text: &String| {
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
            };
            if !text.is_none_or(visible) {
                return Err(S3Error::Text(name));
            }
        }
        self.address()
    }

    fn address(&self) -> Result<(Scheme, Authority), S3Error> {
        let amazon = || format!("https://s3.{}.amazonaws.com", self.region);
        let endpoint = self.endpoint.clone().unwrap_or_else(amazon);
        let parsed = || {
            let uri: http::Uri = endpoint.parse().ok()?;
            let parts = uri.into_parts();
            let scheme = parts
                .scheme
                .filter(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS)?;
            let authority = parts
                .authority
                .filter(|authority| !authority.as_str().contains('@'))?;
            let path = parts.path_and_query;
            path.is_none_or(|path| path.as_str() == "/")
                .then_some((scheme, authority))
        };
        // Whatever is not an endpoint may carry a password.
        parsed().ok_or_else(|| S3Error::Endpoint(without_user(&endpoint)))
    }
}

fn is_dotted(text: &str) -> bool {
    matches!(text, "." | "..")
}

fn without_user(endpoint: &str) -> String {
    endpoint
        .rsplit_once('@')
        .map_or_else(|| endpoint.to_owned(), |(_, host)| format!("…@{host}"))
}

impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Options")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

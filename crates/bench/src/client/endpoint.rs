//! Where a server listens, and how a `Location` is followed.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _};

use anyhow::{Context as _, Result, bail};

/// Bytes dropped by one system call; the memory behind it is never touched when bodies are discarded.
const SCRATCH: usize = 1 << 20;

/// A server's address, the name it is called by, and the buffer that its connections read into.
#[derive(Debug)]
pub struct Endpoint {
    /// The address to connect to.
    pub address: SocketAddr,
    /// The value of the `Host` header.
    pub authority: String,
    /// Whether bodies are copied to user space, as a real puller does, instead of dropped.
    pub copies: bool,
    pub(super) scratch: RefCell<Vec<u8>>,
}

impl Endpoint {
    /// Resolves `authority` (`host:port`).
    pub fn resolve(authority: &str, copies: bool) -> Result<Self> {
        let with_port = if authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
        {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        };
        let (host, port) = with_port
            .rsplit_once(':')
            .context("an authority has no port")?;
        let address = if host.ends_with(".localhost") {
            // Resolvers differ on these names, although RFC 6761 section 6.3 makes all of them loopback.
            SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?))
        } else {
            let mut found = with_port
                .to_socket_addrs()
                .with_context(|| format!("cannot resolve `{authority}`"))?;
            found
                .next()
                .with_context(|| format!("`{authority}` has no address"))?
        };
        let scratch = RefCell::new(vec![0; SCRATCH]);
        Ok(Self {
            address,
            authority: authority.to_owned(),
            copies,
            scratch,
        })
    }

    /// Resolves the authority of an `http://` URL.
    pub fn of_url(url: &str, copies: bool) -> Result<Self> {
        match Location::parse(url)? {
            Location {
                authority: Some(authority),
                ..
            } => Self::resolve(&authority, copies),
            Location {
                authority: None, ..
            } => bail!("`{url}` is not an http:// address"),
        }
    }
}

/// A `Location` header or URL, split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The `host[:port]` part, absent from a relative reference.
    pub authority: Option<String>,
    /// The path with its query.
    pub path: String,
}

impl Location {
    /// Splits an absolute `http://` URL or an absolute path.
    pub fn parse(text: &str) -> Result<Self> {
        if text.starts_with('/') {
            return Ok(Self {
                authority: None,
                path: text.to_owned(),
            });
        }
        let Some(rest) = text.strip_prefix("http://") else {
            bail!("cannot follow location `{text}`: only http is spoken");
        };
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        Ok(Self {
            authority: Some(authority.to_owned()),
            path: path.to_owned(),
        })
    }

    /// Returns the path with `name=value` added to its query.
    pub fn with_query(&self, name: &str, value: &str) -> String {
        let joint = if self.path.contains('?') { '&' } else { '?' };
        format!("{}{joint}{name}={value}", self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_split_into_authority_and_path() {
        let absolute = Location::parse("http://localhost:5000/v2/a?b=c").unwrap();
        assert_eq!(absolute.authority.as_deref(), Some("localhost:5000"));
        assert_eq!(absolute.with_query("digest", "d"), "/v2/a?b=c&digest=d");
        let relative = Location::parse("/v2/a").unwrap();
        assert_eq!(relative.authority, None);
        assert_eq!(relative.with_query("digest", "d"), "/v2/a?digest=d");
    }

    #[test]
    fn names_under_localhost_are_loopback() {
        let endpoint = Endpoint::resolve("a.b.localhost:81", false).unwrap();
        assert_eq!(endpoint.address.to_string(), "127.0.0.1:81");
        assert_eq!(endpoint.authority, "a.b.localhost:81");
    }

    #[test]
    fn a_location_of_another_scheme_is_refused() {
        assert!(Location::parse("https://localhost/v2/").is_err());
    }
}

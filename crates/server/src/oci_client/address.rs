//! Where a registry is: `HOST[:PORT]`, perhaps with a scheme before it.

use std::{fmt, net::IpAddr};

/// A registry's scheme and authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
    /// The host as the user names it, with a port if it has one.
    pub(crate) host: String,
}

/// The text names no registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no registry: it is HOST[:PORT], with http:// before it if there is no HTTPS")]
pub(crate) struct InvalidAddress(String);

impl Address {
    /// Reads `[SCHEME://]HOST[:PORT][/PATH]`; returns the path, too, without its slash. Without a scheme it is HTTPS, but
    /// on this machine HTTP, as Docker has it.
    pub(crate) fn parse(text: &str) -> Result<(Self, Option<&str>), InvalidAddress> {
        let invalid = || InvalidAddress(text.to_owned());
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Some("http"), rest),
            Some(("https", rest)) => (Some("https"), rest),
            Some(_) => return Err(invalid()),
            None => (None, text),
        };
        let (host, path) = match rest.split_once('/') {
            Some((host, path)) => (host, Some(path.trim_end_matches('/'))),
            None => (rest, None),
        };
        let authority: http::uri::Authority = host.parse().map_err(|_| invalid())?;
        if authority.host().is_empty() || host.contains('@') {
            return Err(invalid());
        }
        let local = if is_local(authority.host()) {
            "http"
        } else {
            "https"
        };
        let address = Self {
            scheme: scheme.unwrap_or(local),
            host: host.to_ascii_lowercase(),
        };
        Ok((address, path.filter(|path| !path.is_empty())))
    }

    /// The authority that is talked to: Docker Hub's registry has another name than Docker Hub.
    pub(crate) fn authority(&self) -> &str {
        if self.is_docker_hub() {
            "registry-1.docker.io"
        } else {
            &self.host
        }
    }

    /// Whether it is Docker Hub, by any of its names.
    pub(crate) fn is_docker_hub(&self) -> bool {
        matches!(
            self.host.as_str(),
            "docker.io" | "index.docker.io" | "registry-1.docker.io"
        )
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority())
    }
}

fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = |ip: IpAddr| ip.is_loopback();
    host == "localhost" || address.parse().is_ok_and(is_loopback)
}

/// Whether a text is a repository's name by the OCI distribution specification, so that it can stand in a URL.
pub(crate) fn is_name(text: &str) -> bool {
    let is_part = |part: &str| {
        let ends = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let may = |byte: u8| ends(&byte) || b"._-".contains(&byte);
        part.as_bytes().first().is_some_and(ends)
            && part.as_bytes().last().is_some_and(ends)
            && part.bytes().all(may)
            && !part.contains("..")
    };
    text.len() <= 255 && text.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_tells_scheme_host_and_path() {
        for (text, url, path) in [
            ("registry.example", "https://registry.example", None),
            (
                "registry.example:5000/a/b",
                "https://registry.example:5000",
                Some("a/b"),
            ),
            ("localhost:5000", "http://localhost:5000", None),
            ("127.0.0.1:5000/app/", "http://127.0.0.1:5000", Some("app")),
            ("[::1]:5000", "http://[::1]:5000", None),
            (
                "http://registry.example/app",
                "http://registry.example",
                Some("app"),
            ),
            ("https://localhost", "https://localhost", None),
            (
                "docker.io/library/busybox",
                "https://registry-1.docker.io",
                Some("library/busybox"),
            ),
        ] {
            let (address, found) = Address::parse(text).unwrap();
            assert_eq!((address.to_string().as_str(), found), (url, path), "{text}");
        }
    }

    #[test]
    fn what_names_no_host_is_refused() {
        for text in [
            "",
            "/app",
            "ftp://registry.example",
            "user@registry.example",
            "a b",
            "http://",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_stay_within_their_path() {
        for name in ["a", "team/app", "a.b_c-d/e__f", "library/busybox"] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "", "/a", "a/", "a//b", "..", "a/../b", "a..b", "A", "a?b", "a%2e", "a b", "-a",
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}

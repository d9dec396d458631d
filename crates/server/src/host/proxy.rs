//! Proxies that are believed about scheme, host and client address; everybody else's words are ignored.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

use crate::cidr::Cidr;

/// What a believed proxy says about a request; what it leaves out stays as the connection has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// `http` or `https`.
    pub scheme: Option<&'static str>,
    /// The host that the client named.
    pub host: Option<String>,
    /// Where the client is.
    pub client: Option<IpAddr>,
}

/// The peers that are believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<Cidr>);

impl TrustedProxies {
    /// Believes these blocks only.
    pub fn new(blocks: Vec<Cidr>) -> Self {
        Self(blocks)
    }

    /// Whether `peer` is believed.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.0.iter().any(|block| block.contains(peer))
    }

    /// Reads what `peer` says, if it is believed.
    pub fn forwarded(&self, peer: IpAddr, headers: &HeaderMap) -> Forwarded {
        if self.0.is_empty() || !self.trusts(peer) {
            return Forwarded::default();
        }
        // Most proxies write the customary headers and hand on the standard one as the client made it up.
        let hops = customary(headers);
        self.outermost(if hops.is_empty() {
            standard(headers)
        } else {
            hops
        })
    }

    /// Walks from the nearest hop outwards as long as hops are believed, and takes the last word on each point.
    fn outermost(&self, hops: Vec<Forwarded>) -> Forwarded {
        let mut answer = Forwarded::default();
        for hop in hops.into_iter().rev() {
            let client = hop.client;
            answer.scheme = hop.scheme.or(answer.scheme);
            answer.host = hop.host.or(answer.host);
            answer.client = client.or(answer.client);
            if client.is_none_or(|client| !self.trusts(client)) {
                break;
            }
        }
        answer
    }
}

/// `Forwarded` (RFC 7239), one element a hop.
fn standard(headers: &HeaderMap) -> Vec<Forwarded> {
    let elements = list(headers, "forwarded");
    elements.into_iter().map(element).collect()
}

fn element(text: &str) -> Forwarded {
    let mut hop = Forwarded::default();
    for (key, value) in text.split(';').filter_map(|pair| pair.split_once('=')) {
        let value = value.trim().trim_matches('"');
        match key.trim().to_ascii_lowercase().as_str() {
            "proto" => hop.scheme = scheme(value),
            "host" => hop.host = host(value),
            "for" => hop.client = address(value),
            _ => {}
        }
    }
    hop
}

/// `X-Forwarded-For`, `-Proto`, `-Host`: lists that are as long as there are hops, or one value for all.
fn customary(headers: &HeaderMap) -> Vec<Forwarded> {
    let [clients, schemes, hosts] = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"]
        .map(|name| list(headers, name));
    let hops = clients.len().max(schemes.len()).max(hosts.len());
    let nth = |values: &[&str], hop: usize| -> Option<String> {
        let from_end = hops - 1 - hop;
        let wanted = values
            .len()
            .checked_sub(1 + from_end.min(values.len().saturating_sub(1)))?;
        values.get(wanted).map(|value| (*value).to_owned())
    };
    (0..hops)
        .map(|hop| Forwarded {
            scheme: nth(&schemes, hop).as_deref().and_then(scheme),
            host: nth(&hosts, hop).as_deref().and_then(host),
            client: nth(&clients, hop).as_deref().and_then(address),
        })
        .collect()
}

fn list<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let values = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|value| !value.is_empty())
        .collect()
}

fn scheme(text: &str) -> Option<&'static str> {
    ["http", "https"]
        .into_iter()
        .find(|scheme| text.eq_ignore_ascii_case(scheme))
}

fn host(text: &str) -> Option<String> {
    super::is_host(text).then(|| text.to_owned())
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[');
    text.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .or_else(|| bare.trim_end_matches(']').parse().ok())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    fn proxies() -> TrustedProxies {
        TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()])
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn strangers_are_not_believed() {
        let headers = headers(&[
            ("x-forwarded-proto", "https"),
            ("forwarded", "host=evil.example"),
        ]);
        assert_eq!(
            proxies().forwarded(ip("11.0.0.1"), &headers),
            Forwarded::default()
        );
    }

    #[test]
    fn customary_headers_tell_scheme_host_and_client() {
        let headers = headers(&[
            ("x-forwarded-for", "6.6.6.6, 192.0.2.1, 10.0.0.9"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "registry.example.com:8443"),
        ]);
        let told = proxies().forwarded(ip("10.0.0.1"), &headers);
        assert_eq!(told.scheme, Some("https"));
        assert_eq!(told.host.as_deref(), Some("registry.example.com:8443"));
        assert_eq!(
            told.client,
            Some(ip("192.0.2.1")),
            "what the client itself claims is not believed"
        );
    }

    #[test]
    fn the_standard_header_tells_the_same() {
        let headers = headers(&[(
            "forwarded",
            r#"for="[2001:db8::1]:4711";proto=https;host=one.example, for=10.0.0.3"#,
        )]);
        let told = proxies().forwarded(ip("10.0.0.1"), &headers);
        assert_eq!(told.host.as_deref(), Some("one.example"));
        assert_eq!(told.client, Some(ip("2001:db8::1")));
    }

    #[test]
    fn a_client_cannot_make_up_the_header_that_its_proxy_does_not_write() {
        let made_up = ("forwarded", "for=192.0.2.99;proto=https;host=evil.example");
        let written = ("x-forwarded-for", "192.0.2.1");
        let told = proxies().forwarded(ip("10.0.0.1"), &headers(&[made_up, written]));
        let expected = Forwarded {
            client: Some(ip("192.0.2.1")),
            ..Forwarded::default()
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn a_malformed_host_is_left_out() {
        let headers = headers(&[("x-forwarded-host", "a\"b")]);
        assert_eq!(proxies().forwarded(ip("10.0.0.1"), &headers).host, None);
    }
}

//! What a host name says: which registry, or which API (`behaviour.md` section 2).

use longshore_registry::endpoints::AWS_DOMAIN;
use longshore_types::account::{AccountId, Region, Registry};

pub mod proxy;

/// The longest host with its port.
const MAX_HOST: usize = 261;

/// Partition suffixes of registries and APIs.
const SUFFIXES: [&str; 9] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "on.aws",
    "on.amazonwebservices.com.cn",
    "sc2s.sgov.gov",
    "c2s.ic.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
];
/// Suffixes that dual-stack APIs have besides.
const API_SUFFIXES: [&str; 2] = ["api.aws", "api.amazonwebservices.com.cn"];

/// What a host stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKind {
    /// A private registry: `ACCOUNT.dkr.ecr.REGION.…`.
    Private(Registry),
    /// The public registry.
    Public,
    /// The endpoint of one of the two APIs.
    Api,
    /// A host of the operator's own, such as `localhost:5050`.
    Own,
}

impl HostKind {
    /// Whether the host has the shape of one of ECR's.
    pub fn is_ecr_shaped(self) -> bool {
        self != Self::Own
    }
}

/// Tells hosts apart.
#[derive(Clone, Debug)]
pub struct Hosts {
    domain: Option<Box<str>>,
}

impl Hosts {
    /// Knows ECR's hosts, and those under `domain` if there is one.
    pub fn new(domain: Option<&str>) -> Self {
        Self {
            domain: domain.map(|domain| domain.to_ascii_lowercase().into()),
        }
    }

    /// The domain that ECR-shaped hosts are printed under.
    pub fn domain(&self) -> &str {
        self.domain.as_deref().unwrap_or(AWS_DOMAIN)
    }

    /// Tells what `host`, with or without a port, stands for.
    pub fn kind(&self, host: &str) -> HostKind {
        let bare = without_port(host);
        let bare = bare.strip_suffix('.').unwrap_or(bare);
        // The common case first: an address or a single label is nobody's domain.
        if !bare.contains('.') || bare.starts_with('[') {
            return HostKind::Own;
        }
        if bare.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return self.kind_of_lower(&bare.to_ascii_lowercase());
        }
        self.kind_of_lower(bare)
    }

    fn kind_of_lower(&self, host: &str) -> HostKind {
        if let Some(registry) = self.private(host) {
            return HostKind::Private(registry);
        }
        if self.is_public(host) {
            return HostKind::Public;
        }
        if self.is_api(host) {
            HostKind::Api
        } else {
            HostKind::Own
        }
    }

    fn private(&self, host: &str) -> Option<Registry> {
        let (account, rest) = host.split_once('.')?;
        let account: AccountId = account.parse().ok()?;
        let rest = ["dkr.ecr.", "dkr.ecr-fips.", "dkr-ecr.", "dkr-ecr-fips."]
            .iter()
            .find_map(|form| rest.strip_prefix(form))?;
        let (region, suffix) = rest.split_once('.')?;
        let region: Region = region.parse().ok()?;
        if self.is_suffix(suffix) {
            Registry::private(account, region).ok()
        } else {
            None
        }
    }

    fn is_public(&self, host: &str) -> bool {
        let under_domain = self
            .domain
            .as_deref()
            .is_some_and(|domain| host.strip_suffix(domain) == Some("public."));
        under_domain || matches!(host, "public.ecr.aws" | "ecr-public.aws.com")
    }

    fn is_api(&self, host: &str) -> bool {
        let rest = host.strip_prefix("api.").unwrap_or(host);
        let rest = ["ecr.", "ecr-fips.", "ecr-public."]
            .iter()
            .find_map(|form| rest.strip_prefix(form));
        let Some((region, suffix)) = rest.and_then(|rest| rest.split_once('.')) else {
            return false;
        };
        let known = self.is_suffix(suffix) || API_SUFFIXES.contains(&suffix);
        known
            && region
                .parse::<Region>()
                .is_ok_and(|region| !region.is_none())
    }

    fn is_suffix(&self, suffix: &str) -> bool {
        SUFFIXES.contains(&suffix) || self.domain.as_deref() == Some(suffix)
    }
}

/// Whether the text can be a host with an optional port; anything else must reach no header and no URL.
pub fn is_host(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    !text.is_empty() && text.len() <= MAX_HOST && text.bytes().all(allowed)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn private(region: &str) -> HostKind {
        let registry = Registry::private("123456789012".parse().unwrap(), region.parse().unwrap());
        HostKind::Private(registry.unwrap())
    }

    #[test]
    fn private_registries_are_known_by_every_form() {
        let hosts = Hosts::new(Some("ECR.test"));
        for host in [
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com:5050",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.",
            "123456789012.DKR.ecr.eu-west-1.AmazonAWS.com",
            "123456789012.dkr.ecr-fips.eu-west-1.amazonaws.com",
            "123456789012.dkr-ecr.eu-west-1.on.aws",
            "123456789012.dkr-ecr-fips.eu-west-1.on.aws",
            "123456789012.dkr-ecr.eu-west-1.on.amazonwebservices.com.cn",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.cn",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.eu",
            "123456789012.dkr.ecr.eu-west-1.c2s.ic.gov",
            "123456789012.dkr.ecr.eu-west-1.ecr.test",
            "123456789012.dkr.ecr.eu-west-1.ecr.test:8443",
        ] {
            assert_eq!(hosts.kind(host), private("eu-west-1"), "{host}");
        }
    }

    #[test]
    fn public_registries_are_known() {
        let hosts = Hosts::new(Some("ecr.test"));
        for host in [
            "public.ecr.aws",
            "public.ecr.aws:443",
            "ecr-public.aws.com",
            "public.ecr.test",
            "Public.ECR.test:5050",
        ] {
            assert_eq!(hosts.kind(host), HostKind::Public, "{host}");
        }
    }

    #[test]
    fn api_endpoints_are_known_by_every_form() {
        let hosts = Hosts::new(Some("ecr.test"));
        for host in [
            "api.ecr.us-east-1.amazonaws.com",
            "ecr.us-east-1.amazonaws.com",
            "ecr.us-east-1.api.aws",
            "api.ecr-fips.us-east-1.amazonaws.com",
            "ecr-fips.us-east-1.amazonaws.com",
            "ecr-fips.us-east-1.api.aws",
            "api.ecr.cn-north-1.amazonaws.com.cn",
            "ecr.cn-north-1.api.amazonwebservices.com.cn",
            "api.ecr.eusc-de-east-1.amazonaws.eu",
            "api.ecr-public.us-east-1.amazonaws.com",
            "ecr-public.us-east-1.api.aws",
            "api.ecr.us-east-1.ecr.test:5050",
        ] {
            assert_eq!(hosts.kind(host), HostKind::Api, "{host}");
        }
    }

    #[test]
    fn other_hosts_are_the_operators_own() {
        let hosts = Hosts::new(None);
        for host in [
            "localhost",
            "localhost:5050",
            "127.0.0.1:5050",
            "[::1]:5050",
            "registry.example.com",
            "12345678901.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.example.com",
            "123456789012.dkr.ecr.amazonaws.com",
            "123456789012.dkr.ecr..amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.ecr.test",
            "public.ecr.test",
            "api.ecr.amazonaws.com",
            "amazonaws.com",
            ".",
            ":",
        ] {
            assert_eq!(hosts.kind(host), HostKind::Own, "{host}");
        }
    }

    #[test]
    fn texts_that_could_break_a_header_or_a_url_are_no_hosts() {
        for text in [
            "",
            "a\"b",
            "a b",
            "a/b",
            "a@b",
            "a\r\nb",
            "é",
            &"a".repeat(262),
        ] {
            assert!(!is_host(text), "{text:?}");
        }
        for text in ["localhost", "[::1]:5050", "a_b.example-1.com:80"] {
            assert!(is_host(text), "{text:?}");
        }
    }
}

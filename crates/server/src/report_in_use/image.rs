//! Names of images as container runtimes write them, and which of them are of the registry.

use std::fmt;

use longshore_types::{account::Registry, digest::Digest, name::RepositoryName};

use crate::host::{HostKind, Hosts};

/// A repository, and the registry that its host names; without one, it is in the caller's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    host: String,
    pub(super) registry: Option<Registry>,
    pub(super) repository: RepositoryName,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)
    }
}

/// The hosts by which images of the registry are named.
#[derive(Debug)]
pub(super) struct Registries(Vec<(String, Option<Registry>)>);

impl Registries {
    /// Knows `hosts`, or else the one that the registry is called by.
    pub(super) fn new(hosts: &[String], called: &str) -> Self {
        let hosts = if hosts.is_empty() {
            &[called.to_owned()]
        } else {
            hosts
        };
        let host = |host: &String| (host.to_ascii_lowercase(), registry(host));
        Self(hosts.iter().map(host).collect())
    }

    /// Takes `HOST/NAME@DIGEST` or `HOST/NAME:TAG@DIGEST` apart, if the host is one of the registry's.
    pub(super) fn find(&self, name: &str) -> Option<(Place, String)> {
        let (host, rest) = name.split_once('/')?;
        let (known, registry) = self
            .0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(host))?;
        let (repository, digest) = rest.split_once('@')?;
        let repository = repository
            .split_once(':')
            .map_or(repository, |(name, _)| name);
        let digest: Digest = digest.parse().ok()?;
        let place = Place {
            host: known.clone(),
            registry: *registry,
            repository: repository.parse().ok()?,
        };
        Some((place, digest.to_string()))
    }
}

/// The registry that a host of ECR's shape names, under whatever domain.
fn registry(host: &str) -> Option<Registry> {
    let bare = host.rsplit_once(':').map_or(host, |(bare, _)| bare);
    let mut domains = bare.match_indices('.').map(|(at, _)| &bare[at + 1..]);
    domains.find_map(|domain| match Hosts::new(Some(domain)).kind(bare) {
        HostKind::Private(registry) => Some(registry),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:abababababababababababababababababababababababababababababababab";

    #[test]
    fn images_of_the_registry_are_told_from_others() {
        let shaped = "123456789012.dkr.ecr.eu-central-1.registry.example:5050";
        let hosts = ["localhost:5050".to_owned(), shaped.to_owned()];
        let registries = Registries::new(&hosts, "elsewhere");
        let find = |name: &str| registries.find(&format!("{name}@{DIGEST}"));
        let (place, digest) = find("localhost:5050/team/app").unwrap();
        assert_eq!((place.registry, digest.as_str()), (None, DIGEST));
        assert_eq!(place.repository.as_str(), "team/app");
        let (place, _) = find(&format!("{shaped}/app:v1")).unwrap();
        assert_eq!(place.repository.as_str(), "app");
        let registry = place.registry.unwrap();
        assert_eq!(registry.account().as_str(), "123456789012");
        assert_eq!(registry.region().as_str(), "eu-central-1");
        for other in [
            "app",
            "localhost/app",
            "elsewhere/app",
            "localhost:5051/app",
        ] {
            assert_eq!(find(other), None, "{other}");
        }
        for broken in [
            "localhost:5050/app",
            "localhost:5050/app@sha256:ab",
            "localhost:5050/A@",
        ] {
            assert_eq!(registries.find(broken), None, "{broken}");
        }
    }

    #[test]
    fn the_host_that_is_called_is_the_default() {
        let registries = Registries::new(&[], "127.0.0.1:5050");
        let name = format!("127.0.0.1:5050/app@{DIGEST}");
        assert!(registries.find(&name).is_some());
    }
}

//! How the caller reaches this server: every URL and host name in an answer comes from here.

use longshore_types::{
    account::Registry, alias::RegistryAlias, digest::Digest, id::LogoId, name::RepositoryName,
};

/// The domain that ECR-shaped hosts are printed under when the operator names none.
pub const AWS_DOMAIN: &str = "amazonaws.com";

/// One request's view of the server's addresses.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// `http` or `https`, as the caller used it.
    pub scheme: &'static str,
    /// The host and port that the caller used.
    pub host: String,
    /// Whether `host` has ECR's shape, of a registry or of an API.
    pub ecr_shaped: bool,
    /// The registry that `/v2` on `host` means for this caller.
    pub leads_to: Registry,
    /// The domain under which ECR-shaped hosts are printed.
    pub domain: String,
    /// The listener's port.
    pub port: u16,
}

impl Endpoints {
    /// `HOST/NAME` of a private repository, with no scheme and no tag.
    pub fn repository_uri(&self, registry: &Registry, name: &RepositoryName) -> String {
        let shadowed = name.as_str().starts_with("public/");
        if self.reaches(registry) && !shadowed {
            format!("{}/{name}", self.host)
        } else {
            format!("{}/{name}", self.ecr_host(registry))
        }
    }

    /// `HOST/ALIAS` of a public registry, which its repositories' URIs begin with: on a host of the operator's own,
    /// `HOST/public/ALIAS`.
    pub fn public_uri(&self, alias: &RegistryAlias) -> String {
        if !self.ecr_shaped {
            return format!("{}/public/{alias}", self.host);
        }
        let port = self.printed_port();
        match self.domain.as_str() {
            AWS_DOMAIN => format!("public.ecr.aws{port}/{alias}"),
            domain => format!("public.{domain}{port}/{alias}"),
        }
    }

    /// Where the picture of a public repository is.
    pub fn logo_url(&self, logo: &LogoId) -> String {
        format!("{}://{}/logos/{logo}.png", self.scheme, self.host)
    }

    /// The endpoint that a login is for: scheme and host, no trailing slash.
    pub fn proxy_endpoint(&self, registry: &Registry) -> String {
        if self.reaches(registry) {
            format!("{}://{}", self.scheme, self.host)
        } else {
            self.ecr_proxy_endpoint(registry)
        }
    }

    /// The same for a caller that named the registry: always ECR-shaped and https.
    pub fn ecr_proxy_endpoint(&self, registry: &Registry) -> String {
        format!("https://{}", self.ecr_host(registry))
    }

    /// Where a layer downloads from, by a sealed `grant`.
    pub fn layer_url(&self, digest: &Digest, grant: &str) -> String {
        format!(
            "{}://{}/layers/{digest}?grant={grant}",
            self.scheme, self.host
        )
    }

    fn reaches(&self, registry: &Registry) -> bool {
        !self.ecr_shaped && self.leads_to == *registry
    }

    fn ecr_host(&self, registry: &Registry) -> String {
        format!(
            "{}.dkr.ecr.{}.{}{}",
            registry.account(),
            registry.region(),
            self.domain,
            self.printed_port()
        )
    }

    fn printed_port(&self) -> String {
        if self.port == 443 {
            String::new()
        } else {
            format!(":{}", self.port)
        }
    }
}

//! Which operation of which service a call is for, and how large its body may be.

use http::HeaderMap;

use super::decode::ProtocolError;

const MAX_OPERATION: usize = 64;

/// A service that speaks this protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Private registries.
    Ecr,
    /// Public registries.
    EcrPublic,
    /// Accounts.
    Organizations,
    /// What private registries have here that ECR has not.
    Longshore,
}

impl Service {
    /// Returns the service's name in a credential scope and in actions.
    pub const fn signing_name(self) -> &'static str {
        match self {
            Self::Ecr | Self::Longshore => "ecr",
            Self::EcrPublic => "ecr-public",
            Self::Organizations => "organizations",
        }
    }

    const ALL: [Self; 4] = [
        Self::Ecr,
        Self::EcrPublic,
        Self::Organizations,
        Self::Longshore,
    ];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Ecr => "AmazonEC2ContainerRegistry_V20150921",
            Self::EcrPublic => "SpencerFrontendService",
            Self::Organizations => "AWSOrganizationsV20161128",
            Self::Longshore => "LongshoreRegistry_V20261121",
        }
    }

    fn from_prefix(prefix: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|service| service.prefix() == prefix)
    }

    /// Returns the content of `X-Amz-Target` for an operation.
    pub fn target(self, operation: &str) -> String {
        format!("{}.{operation}", self.prefix())
    }
}

/// The content of `X-Amz-Target`. Whether the service has such an operation is not decided here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    service: Service,
    operation: &'a str,
}

impl<'a> Target<'a> {
    /// Reads the header; without one, or with an unknown service, the operation is unknown.
    pub fn parse(headers: &'a HeaderMap) -> Result<Self, ProtocolError> {
        let mut values = headers.get_all("x-amz-target").iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(ProtocolError::UnknownOperation);
        };
        let parts = value.to_str().ok().and_then(|text| text.split_once('.'));
        let (prefix, operation) = parts.ok_or(ProtocolError::UnknownOperation)?;
        let service = Service::from_prefix(prefix).ok_or(ProtocolError::UnknownOperation)?;
        let is_name = (1..=MAX_OPERATION).contains(&operation.len())
            && operation.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_name
            .then_some(Self { service, operation })
            .ok_or(ProtocolError::UnknownOperation)
    }

    /// Returns the service addressed.
    pub fn service(self) -> Service {
        self.service
    }

    /// Returns the operation's name.
    pub fn operation(self) -> &'a str {
        self.operation
    }
}

/// Returns the largest body, in bytes, that is read for an operation.
///
/// `PutImage` carries a manifest of 4 MiB as a JSON string, where quotes and line ends double; `UploadLayerPart` carries
/// 20 MiB in base64, where `/` may be escaped; catalog data carries 500 KiB in base64 and 50 KiB characters of text, which
/// may be escaped, too; all others fit into 1 MiB.
pub fn body_limit(operation: &str) -> usize {
    const MIB: usize = 1024 * 1024;
    match operation {
        "UploadLayerPart" => 29 * MIB,
        "PutImage" => 12 * MIB,
        "CreateRepository" | "PutRepositoryCatalogData" => 3 * MIB,
        _ => MIB,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(target: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(
            http::HeaderName::from_static("x-amz-target"),
            http::HeaderValue::from_static(target),
        )])
    }

    #[test]
    fn prefixes_name_the_services() {
        let private = headers("AmazonEC2ContainerRegistry_V20150921.PutImage");
        let private = Target::parse(&private).unwrap();
        assert_eq!(
            (private.service(), private.operation()),
            (Service::Ecr, "PutImage")
        );
        let public = headers("SpencerFrontendService.DescribeRegistries");
        let public = Target::parse(&public).unwrap();
        assert_eq!(
            (public.service().signing_name(), public.operation()),
            ("ecr-public", "DescribeRegistries")
        );
        let beyond = headers("LongshoreRegistry_V20261121.LeaseImages");
        let beyond = Target::parse(&beyond).unwrap();
        assert_eq!(
            (beyond.service(), beyond.service().signing_name()),
            (Service::Longshore, "ecr")
        );
    }

    #[test]
    fn anything_else_is_an_unknown_operation() {
        let prefix_only = "AmazonEC2ContainerRegistry_V20150921.";
        for target in [
            "",
            "PutImage",
            "DynamoDB_20120810.GetItem",
            prefix_only,
            "SpencerFrontendService.a b",
            "SpencerFrontendService.a.b",
        ] {
            assert_eq!(
                Target::parse(&headers(target)),
                Err(ProtocolError::UnknownOperation),
                "{target}"
            );
        }
        assert_eq!(
            Target::parse(&HeaderMap::new()),
            Err(ProtocolError::UnknownOperation)
        );
        let mut twice = headers("SpencerFrontendService.A");
        twice.append(
            "x-amz-target",
            http::HeaderValue::from_static("SpencerFrontendService.B"),
        );
        assert_eq!(Target::parse(&twice), Err(ProtocolError::UnknownOperation));
    }
}

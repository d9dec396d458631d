//! The ARN of a repository, private or public.

use std::fmt;
use std::str::FromStr;

use super::{Arn, InvalidArn, PARTITION};
use crate::account::{AccountId, Region, Registry, RegistryKind};
use crate::name::RepositoryName;
use crate::text::serde_as_text;

/// `arn:aws:ecr:REGION:ACCOUNT:repository/NAME`, or `arn:aws:ecr-public::ACCOUNT:repository/NAME`.
///
/// Every partition is read; `aws` is printed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryArn {
    registry: Registry,
    name: RepositoryName,
}

impl RepositoryArn {
    /// Makes the ARN of the repository `name` of `registry`.
    pub const fn new(registry: Registry, name: RepositoryName) -> Self {
        Self { registry, name }
    }

    /// Reads the ARN of a repository.
    pub fn parse(text: &str) -> Result<Self, InvalidArn> {
        text.parse()
    }

    /// Returns the registry.
    pub const fn registry(&self) -> Registry {
        self.registry
    }

    /// Returns the repository's name within it.
    pub const fn name(&self) -> &RepositoryName {
        &self.name
    }
}

impl FromStr for RepositoryArn {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, InvalidArn> {
        let arn: Arn = text.parse()?;
        Self::of(&arn).ok_or(InvalidArn::NotRepository)
    }
}

impl RepositoryArn {
    fn of(arn: &Arn) -> Option<Self> {
        let kind = match arn.service() {
            "ecr" => RegistryKind::Private,
            "ecr-public" => RegistryKind::Public,
            _ => return None,
        };
        let account: AccountId = arn.account_id()?;
        let region: Region = arn.region().parse().ok()?;
        let registry = Registry::new(kind, account, region).ok()?;
        let name = arn.resource().strip_prefix("repository/")?.parse().ok()?;
        Some(Self { registry, name })
    }
}

impl fmt::Display for RepositoryArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = match self.registry.kind() {
            RegistryKind::Private => "ecr",
            RegistryKind::Public => "ecr-public",
        };
        let (region, account) = (self.registry.region(), self.registry.account());
        write!(
            f,
            "arn:{PARTITION}:{service}:{region}:{account}:repository/{}",
            self.name
        )
    }
}

serde_as_text!(RepositoryArn, "the ARN of a repository");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::tests::{assert_refused, assert_round_trip};

    #[test]
    fn private_and_public_arns_parse_and_print() {
        let arn: RepositoryArn =
            assert_round_trip("arn:aws:ecr:eu-central-1:123456789012:repository/team/app");
        assert_eq!(arn.registry().kind(), RegistryKind::Private);
        assert_eq!(arn.registry().region().as_str(), "eu-central-1");
        assert_eq!(arn.name().as_str(), "team/app");
        let arn: RepositoryArn =
            assert_round_trip("arn:aws:ecr-public::123456789012:repository/app");
        assert_eq!(
            arn.registry(),
            Registry::public("123456789012".parse().unwrap())
        );
        assert_eq!(arn, RepositoryArn::new(arn.registry(), arn.name().clone()));
    }

    #[test]
    fn every_partition_is_read_and_aws_is_printed() {
        for partition in ["aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso-b"] {
            let text = format!("arn:{partition}:ecr:eu-central-1:123456789012:repository/app");
            let printed = RepositoryArn::parse(&text).unwrap().to_string();
            assert_eq!(
                printed,
                "arn:aws:ecr:eu-central-1:123456789012:repository/app"
            );
        }
    }

    #[test]
    fn arns_of_other_things_are_refused() {
        for text in [
            "team/app",
            "arn:aws:ecr::123456789012:repository/app",
            "arn:aws:ecr:e:123456789012:repository/app",
            "arn:aws:ecr-public:us-east-1:123456789012:repository/app",
            "arn:aws:ecr-public::123456789012:registry/123456789012",
            "arn:aws:ecr:eu-central-1::repository/app",
            "arn:aws:ecr:eu-central-1:aws:repository/app",
            "arn:aws:ecr:eu-central-1:123456789012:app",
            "arn:aws:ecr:eu-central-1:123456789012:repository/",
            "arn:aws:ecr:eu-central-1:123456789012:repository/*",
            "arn:aws:ecr:eu-central-1:123456789012:repository/App",
            "arn:aws:ecr:eu-central-1:123456789012:repository/app:tag",
            "arn:aws:s3:eu-central-1:123456789012:repository/app",
        ] {
            assert_refused::<RepositoryArn>(text);
        }
    }

    proptest! {
        #[test]
        fn repository_arns_round_trip(
            text in "arn:aws:(ecr:[a-z0-9-]{2,25}|ecr-public:):[0-9]{12}:repository/[a-z0-9]{2,9}(/[a-z]{1,9}){0,3}"
        ) {
            prop_assert_eq!(RepositoryArn::parse(&text).unwrap().to_string(), text);
        }
    }
}

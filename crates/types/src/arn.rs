//! Amazon Resource Names: any, of a repository, of a principal.

use std::fmt;
use std::str::FromStr;

use crate::account::AccountId;
use crate::text::serde_as_text;

mod principal;
mod repository;

pub use principal::{PrincipalArn, PrincipalKind};
pub use repository::RepositoryArn;

/// The one partition that is printed for resources of this server.
pub(crate) const PARTITION: &str = "aws";

/// An ARN: `arn:partition:service:region:account:resource`.
///
/// Invariants: at most 2048 characters; partition `aws` or `aws-…`; service of `a-z`, `0-9` and `-`; Region empty
/// or of the same; account empty, twelve digits, or `aws` (managed policies); resource not empty and without
/// control characters. Only the resource may hold colons.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Arn {
    partition: Box<str>,
    service: Box<str>,
    region: Box<str>,
    account: Box<str>,
    resource: Box<str>,
}

/// The text is not an ARN, or not one of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidArn {
    /// It has not the six parts of an ARN, or one of them is malformed.
    #[error("not of the form `arn:partition:service:region:account:resource`")]
    Form,
    /// It is an ARN of something else than a repository.
    #[error("not the ARN of a repository")]
    NotRepository,
    /// It is an ARN of something else than a principal.
    #[error("not the ARN of a principal")]
    NotPrincipal,
}

impl Arn {
    /// The length of the longest ARN.
    pub const MAX_LEN: usize = 2048;

    /// Returns the partition, such as `aws` or `aws-cn`.
    pub fn partition(&self) -> &str {
        &self.partition
    }

    /// Returns the service, such as `ecr`.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Returns the Region, empty for global resources.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Returns the account as written: digits, empty, or `aws`.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Returns the account when it is one.
    pub fn account_id(&self) -> Option<AccountId> {
        self.account.parse().ok()
    }

    /// Returns everything after the fifth colon.
    pub fn resource(&self) -> &str {
        &self.resource
    }
}

impl FromStr for Arn {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, InvalidArn> {
        if text.len() > Self::MAX_LEN {
            return Err(InvalidArn::Form);
        }
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().ok_or(InvalidArn::Form);
        let (scheme, partition, service) = (next()?, next()?, next()?);
        let (region, account, resource) = (next()?, next()?, next()?);
        let fits = scheme == "arn"
            && is_partition(partition)
            && !service.is_empty()
            && is_label(service)
            && is_label(region)
            && (account.is_empty() || account == "aws" || account.parse::<AccountId>().is_ok())
            && !resource.is_empty()
            && !resource.chars().any(char::is_control);
        let [partition, service, region, account, resource] =
            [partition, service, region, account, resource].map(Box::from);
        if fits {
            Ok(Self {
                partition,
                service,
                region,
                account,
                resource,
            })
        } else {
            Err(InvalidArn::Form)
        }
    }
}

fn is_partition(text: &str) -> bool {
    let rest = text.strip_prefix(PARTITION);
    rest.is_some_and(|rest| {
        rest.is_empty() || rest.starts_with('-') && !rest.ends_with('-') && is_label(rest)
    })
}

fn is_label(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            service,
            region,
            account,
            resource,
        } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

serde_as_text!(Arn, "an ARN");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::tests::{assert_refused, assert_round_trip};

    #[test]
    fn arns_have_six_parts() {
        let arn: Arn = assert_round_trip(
            "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:ecr-pullthroughcache/x",
        );
        assert_eq!(arn.partition(), "aws-cn");
        assert_eq!(arn.service(), "secretsmanager");
        assert_eq!(arn.region(), "cn-north-1");
        assert_eq!(arn.account(), "123456789012");
        assert_eq!(arn.account_id(), Some("123456789012".parse().unwrap()));
        assert_eq!(arn.resource(), "secret:ecr-pullthroughcache/x");
    }

    #[test]
    fn regions_and_accounts_may_be_missing() {
        for text in [
            "arn:aws:s3:::bucket/key",
            "arn:aws:iam::aws:policy/ReadOnlyAccess",
            "arn:aws-us-gov:ecr:::*",
        ] {
            assert_eq!(assert_round_trip::<Arn>(text).account_id(), None);
        }
    }

    #[test]
    fn malformed_arns_are_refused() {
        for text in [
            "",
            "arn",
            "arn:aws:ecr:eu-central-1:123456789012",
            "arn:aws:ecr:eu-central-1:123456789012:",
            "ARN:aws:ecr:eu-central-1:123456789012:x",
            "arn::ecr:eu-central-1:123456789012:x",
            "arn:awsx:ecr:eu-central-1:123456789012:x",
            "arn:aws-:ecr:eu-central-1:123456789012:x",
            "arn:aws:::123456789012:x",
            "arn:aws:ECR:eu-central-1:123456789012:x",
            "arn:aws:ecr:eu central:123456789012:x",
            "arn:aws:ecr:eu-central-1:12345678901:x",
            "arn:aws:ecr:eu-central-1:*:x",
            "arn:aws:ecr:eu-central-1:123456789012:x\0",
            "arn:aws:ecr:eu-central-1:123456789012:x\ny",
            " arn:aws:ecr:eu-central-1:123456789012:x",
        ] {
            assert_refused::<Arn>(text);
        }
        let prefix = "arn:aws:s3:::";
        assert_round_trip::<Arn>(&format!("{prefix}{}", "x".repeat(2048 - prefix.len())));
        assert_refused::<Arn>(&format!("{prefix}{}", "x".repeat(2049 - prefix.len())));
    }

    proptest! {
        #[test]
        fn arns_round_trip(text in "arn:aws(-[a-z]{1,5}){0,2}:[a-z0-9-]{1,9}:[a-z0-9-]{0,9}:([0-9]{12}|aws|):[!-~é]{1,40}") {
            prop_assert_eq!(text.parse::<Arn>().unwrap().to_string(), text);
        }
    }
}

//! The `resourceArn` of an input.

use longshore_types::arn::RepositoryArn;

use crate::{
    authz::{Ecr, Needs},
    cx::Scope,
    error::{Error, Result},
};

/// `action` on the repository that `resource_arn` names, in whatever registry of the service called that is.
pub(super) fn needs(action: Ecr, scope: &Scope, resource_arn: Option<&str>) -> Result<Needs> {
    let arn = read(resource_arn)?;
    if arn.registry().kind() != scope.registry.kind() {
        return Err(invalid());
    }
    Ok(Needs::repository(action, arn.registry(), arn.name()))
}

pub(super) fn read(resource_arn: Option<&str>) -> Result<RepositoryArn> {
    let text =
        resource_arn.ok_or_else(|| Error::invalid("resourceArn", "Member must not be null"))?;
    text.parse().map_err(|_| invalid())
}

fn invalid() -> Error {
    Error::invalid("resourceArn", "Invalid ARN")
}

#[cfg(test)]
mod tests {
    use longshore_types::account::Registry;

    use super::*;

    const PRIVATE: &str = "arn:aws:ecr:eu-west-1:123456789012:repository/team/app";
    const PUBLIC: &str = "arn:aws:ecr-public::123456789012:repository/app";

    fn needs_in(registry: Registry, text: Option<&str>) -> Result<Needs> {
        needs(Ecr::TagResource, &Scope { registry }, text)
    }

    fn registries() -> (Registry, Registry) {
        let (account, region) = ("000000000000".parse(), "us-east-1".parse());
        let account = account.unwrap();
        let private = Registry::private(account, region.unwrap());
        (private.unwrap(), Registry::public(account))
    }

    #[test]
    fn the_arn_of_a_repository_names_its_registry() {
        let arn = read(Some(PRIVATE)).unwrap();
        assert_eq!(arn.registry().account().as_str(), "123456789012");
        assert_eq!(arn.registry().region().as_str(), "eu-west-1");
        assert_eq!(arn.name().as_str(), "team/app");
        let (private, public) = registries();
        assert!(needs_in(private, Some(PRIVATE)).is_ok());
        assert!(needs_in(public, Some(PUBLIC)).is_ok());
    }

    #[test]
    fn anything_else_is_an_invalid_arn() {
        let (private, public) = registries();
        for (registry, text) in [
            (private, ""),
            (private, "app"),
            (private, PUBLIC),
            (public, PRIVATE),
            (private, "arn:aws:s3:::bucket"),
            (private, "arn:aws:ecr:eu-west-1:123456789012:image/app"),
        ] {
            assert_eq!(
                needs_in(registry, Some(text)).unwrap_err().to_string(),
                "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'"
            );
        }
        assert!(matches!(read(None), Err(Error::InvalidParameter(_))));
    }
}

//! The `resourceArn` of an input.

use longshore_types::{account::RegistryKind, arn::RepositoryArn};

use crate::{
    authz::{Ecr, Needs},
    error::{Error, Result},
};

/// `action` on the repository that `resource_arn` names, in whatever registry that is.
pub(super) fn needs(action: Ecr, resource_arn: Option<&str>) -> Result<Needs> {
    let arn = read(resource_arn)?;
    Ok(Needs::repository(action, arn.registry(), arn.name()))
}

pub(super) fn read(resource_arn: Option<&str>) -> Result<RepositoryArn> {
    let text =
        resource_arn.ok_or_else(|| Error::invalid("resourceArn", "Member must not be null"))?;
    match text.parse::<RepositoryArn>() {
        Ok(arn) if arn.registry().kind() == RegistryKind::Private => Ok(arn),
        _ => Err(Error::invalid("resourceArn", "Invalid ARN")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_a_private_repository_names_its_registry() {
        let arn = read(Some(
            "arn:aws:ecr:eu-west-1:123456789012:repository/team/app",
        ))
        .unwrap();
        assert_eq!(arn.registry().account().as_str(), "123456789012");
        assert_eq!(arn.registry().region().as_str(), "eu-west-1");
        assert_eq!(arn.name().as_str(), "team/app");
    }

    #[test]
    fn anything_else_is_an_invalid_arn() {
        for text in [
            "",
            "app",
            "arn:aws:ecr-public::123456789012:repository/app",
            "arn:aws:s3:::bucket",
            "arn:aws:ecr:eu-west-1:123456789012:image/app",
        ] {
            assert_eq!(
                read(Some(text)).unwrap_err().to_string(),
                "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'"
            );
        }
        assert!(matches!(read(None), Err(Error::InvalidParameter(_))));
    }
}

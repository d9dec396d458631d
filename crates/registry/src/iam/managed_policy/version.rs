//! The versions of a managed policy: at most five, of which one counts.

mod create;
mod delete;
mod get;
mod list;
mod set_default;

use longshore_types::time::Timestamp;
use serde::Serialize;

pub use self::{
    create::CreatePolicyVersion, delete::DeletePolicyVersion, get::GetPolicyVersion,
    list::ListPolicyVersions, set_default::SetDefaultPolicyVersion,
};
use super::version_id;
use crate::{
    error::{Error, Fault, Result},
    iam::{document, managed::AwsPolicy, member},
    table::managed_policy::Version,
};

/// A version of a policy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyVersion {
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    version_id: String,
    is_default_version: bool,
    create_date: Timestamp,
}

impl PolicyVersion {
    /// Tells a version of a customer's policy without its document.
    pub(crate) fn brief(version: &Version, default: i64) -> Self {
        Self {
            document: None,
            version_id: version_id(version.number),
            is_default_version: version.number == default,
            create_date: version.created_at,
        }
    }

    /// Tells a version of a customer's policy with its document.
    pub(crate) fn whole(version: &Version, default: i64) -> Self {
        Self {
            document: Some(document::encoded(&version.document)),
            ..Self::brief(version, default)
        }
    }

    /// Tells the version of AWS's policy without its document.
    fn brief_of_aws(policy: &AwsPolicy) -> Self {
        Self {
            document: None,
            version_id: version_id(policy.version),
            is_default_version: true,
            create_date: policy.updated_at(),
        }
    }

    /// Tells the version of AWS's policy with its document.
    pub(crate) fn of_aws(policy: &AwsPolicy) -> Self {
        Self {
            document: Some(document::encoded(policy.document)),
            ..Self::brief_of_aws(policy)
        }
    }
}

/// Reads the number of a version: `v3` is 3.
fn number(id: &str) -> Result<i64> {
    const PATTERN: &str = r"v[1-9][0-9]*(\.[A-Za-z0-9-]*)?";
    let digits = id.strip_prefix('v').unwrap_or_default();
    let fits = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    let number = digits.parse().ok().filter(|_| fits);
    number.ok_or_else(|| {
        let constraint = format!("Member must satisfy regular expression pattern: {PATTERN}");
        member::invalid("versionId", id, constraint)
    })
}

fn not_found(arn: &str, version: i64) -> Error {
    Fault::NoSuchEntity.because(format!(
        "Policy {arn} version {} does not exist or is not attachable.",
        version_id(version)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_ids_are_a_v_and_a_number() {
        assert_eq!(number("v1").unwrap(), 1);
        assert_eq!(number("v12").unwrap(), 12);
        for bad in [
            "",
            "v",
            "1",
            "v0",
            "v01",
            "v-1",
            "v+1",
            "V1",
            "v1 ",
            "v99999999999999999999",
        ] {
            assert!(number(bad).is_err(), "{bad}");
        }
    }
}

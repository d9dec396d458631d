//! The member `lifecyclePolicyText`.

use longshore_types::lifecycle::LifecyclePolicy;

use crate::error::{Error, Result};

const MIN_LEN: usize = 100;
const MAX_LEN: usize = 30_720;

/// Fails unless `text` is a policy that can be applied.
pub(super) fn check(text: &str) -> Result<()> {
    check_member("lifecyclePolicyText", text)
}

/// Fails unless `text`, which `member` gives, is a policy that can be applied.
pub(in crate::op) fn check_member(member: &str, text: &str) -> Result<()> {
    let length = text.chars().count();
    if length < MIN_LEN {
        let what = format!("Member must have length greater than or equal to {MIN_LEN}");
        return Err(Error::invalid(member, what));
    }
    if length > MAX_LEN {
        let what = format!("Member must have length less than or equal to {MAX_LEN}");
        return Err(Error::invalid(member, what));
    }
    // ECR spells the member in another way where it is about what the text says.
    let parsed = text.parse::<LifecyclePolicy>();
    parsed
        .map(drop)
        .map_err(|reason| Error::invalid("LifecyclePolicyText", reason))
}

//! IAM's default quotas of an account, which are its limits here.

use crate::error::{Fault, Result};

/// Fails when `count` things are there already and the quota of `name` allows no more.
pub(crate) fn check(name: &str, count: i64, quota: i64) -> Result<()> {
    if count < quota {
        return Ok(());
    }
    Err(Fault::LimitExceeded.because(format!("Cannot exceed quota for {name}: {quota}")))
}

/// Users of an account.
pub(crate) const USERS: i64 = 5000;
/// Groups of an account.
pub(crate) const GROUPS: i64 = 300;
/// Roles of an account.
pub(crate) const ROLES: i64 = 1000;
/// Customer managed policies of an account.
pub(crate) const POLICIES: i64 = 1500;
/// OpenID Connect providers of an account.
pub(crate) const PROVIDERS: i64 = 100;
/// Groups that a user is in.
pub(crate) const GROUPS_PER_USER: i64 = 10;
/// Access keys of a user, or of the root user.
pub(crate) const ACCESS_KEYS_PER_USER: i64 = 2;
/// Managed policies attached to one user, group or role. AWS allows 10 and raises it on demand to 20; what is attached
/// is compiled once, so that here the bound is only there to be one.
pub(crate) const ATTACHED_POLICIES: i64 = 100;
/// Versions of a managed policy.
pub(crate) const VERSIONS_PER_POLICY: i64 = 5;
/// Characters of a managed policy, without white space.
pub(crate) const POLICY_SIZE: i64 = 6144;
/// Characters of all inline policies of a user, without white space.
pub(crate) const USER_POLICY_SIZE: i64 = 2048;
/// Characters of all inline policies of a group, without white space.
pub(crate) const GROUP_POLICY_SIZE: i64 = 5120;
/// Characters of all inline policies of a role, without white space.
pub(crate) const ROLE_POLICY_SIZE: i64 = 10_240;
/// Characters of a trust policy, without white space.
pub(crate) const ASSUME_ROLE_POLICY_SIZE: i64 = 2048;

//! Operations on a registry as a whole.

mod account_setting;
mod describe;
mod get_authorization_token;
mod policy;
mod pull_time_exclusion;
mod region;

pub use self::{
    account_setting::{AccountSetting, GetAccountSetting, PutAccountSetting},
    describe::{DescribeRegistry, DescribedRegistry, ReplicationConfiguration},
    get_authorization_token::{AuthorizationData, AuthorizationTokens, GetAuthorizationToken},
    policy::{DeleteRegistryPolicy, GetRegistryPolicy, PutRegistryPolicy, RegistryPolicy},
    pull_time_exclusion::{
        DeregisterPullTimeUpdateExclusion, DeregisteredExclusion, ListPullTimeUpdateExclusions,
        ListedExclusions, RegisterPullTimeUpdateExclusion, RegisteredExclusion,
    },
};

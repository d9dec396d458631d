//! Operations on a registry as a whole.

mod describe;
mod get_authorization_token;

pub use self::{
    describe::{DescribeRegistry, DescribedRegistry, ReplicationConfiguration},
    get_authorization_token::{AuthorizationData, AuthorizationTokens, GetAuthorizationToken},
};

//! What is asked: who wants to do what to what.

use longshore_types::account::AccountId;

use crate::context::Context;

/// One action on one resource.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: Principal<'a>,
    /// The action, such as `ecr:PutImage`, in any case.
    pub action: &'a str,
    /// The ARN of the resource; `*` for an action without resource, which only a policy for `*` allows.
    pub resource: &'a str,
    /// Whether all resources are meant that `resource` begins, which then ends with `*`: what denies any of them denies
    /// all, and what allows must allow each.
    pub below: bool,
    /// Who owns the resource; `None` when nobody but the caller can, such as for `sts:GetCallerIdentity`.
    pub resource_account: Option<AccountId>,
    /// The keys that conditions and variables read, those about the principal included.
    pub context: &'a Context<'a>,
}

/// Who asks. Ids are the unique ones (`AIDA…`, `AROA…`), by which policies that name a principal know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal<'a> {
    /// Nobody in particular: no credentials were presented.
    Anonymous,
    /// The root of an account, to which identity policies do not apply.
    Root {
        /// The account.
        account: AccountId,
    },
    /// A user, also with the temporary credentials of `GetSessionToken`.
    User {
        /// The user's account.
        account: AccountId,
        /// The user's unique id.
        id: &'a str,
        /// The user's ARN.
        arn: &'a str,
    },
    /// A session of a role.
    AssumedRole {
        /// The role's account.
        account: AccountId,
        /// The role's unique id.
        id: &'a str,
        /// The role's ARN.
        arn: &'a str,
        /// The session's name.
        session: &'a str,
    },
    /// A session that a user made by `GetFederationToken`.
    FederatedUser {
        /// The user's account.
        account: AccountId,
        /// The user's unique id, or the account when root made the session.
        id: &'a str,
        /// The user's ARN.
        arn: &'a str,
        /// The session's name.
        session: &'a str,
    },
    /// Somebody an identity provider vouches for, before a role is assumed.
    WebIdentity {
        /// The provider's ARN, which a trust policy names as `Federated`.
        provider: &'a str,
    },
    /// A service such as `lambda.amazonaws.com`.
    Service {
        /// The service's name.
        name: &'a str,
    },
}

impl Principal<'_> {
    /// The account whose principal it is, if it is one's.
    pub fn account(&self) -> Option<AccountId> {
        match *self {
            Self::Root { account }
            | Self::User { account, .. }
            | Self::AssumedRole { account, .. }
            | Self::FederatedUser { account, .. } => Some(account),
            Self::Anonymous | Self::WebIdentity { .. } | Self::Service { .. } => None,
        }
    }
}

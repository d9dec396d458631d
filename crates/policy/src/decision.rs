//! What is decided, and why.

use std::fmt;

/// The answer to a request. It borrows the names of the policies it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'p> {
    /// Allowed.
    Allowed {
        /// A statement that allows it; `None` for an account's root, which needs none there.
        by: Option<StatementId<'p>>,
    },
    /// Denied by a statement.
    ExplicitDeny {
        /// A statement that denies it.
        by: StatementId<'p>,
    },
    /// Denied because one side does not allow it.
    ImplicitDeny {
        /// The side that does not.
        side: Side,
    },
}

impl Decision<'_> {
    /// Whether the request is allowed.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }

    /// Returns why it is denied, if it is.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Allowed { .. } => None,
            Self::ExplicitDeny { by } => Some(Reason::Explicit(by.side)),
            Self::ImplicitDeny { side } => Some(Reason::Implicit(*side)),
        }
    }
}

/// A statement, by where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StatementId<'p> {
    /// What its policy is to the request.
    pub side: Side,
    /// The name its policy has in its [`crate::PolicySet`]; [`crate::Kind::as_str`] for the policy of a resource.
    pub policy: &'p str,
    /// Its place in the policy, from 0.
    pub index: usize,
    /// Its `Sid`.
    pub sid: Option<&'p str>,
}

/// What a policy is to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// A policy of the user, its groups or the role.
    Identity,
    /// The permissions boundary of the user or role.
    Boundary,
    /// A policy of the session.
    Session,
    /// The policy of a repository or registry.
    Resource,
    /// The trust policy of a role.
    Trust,
}

impl Side {
    /// How IAM calls such a policy.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::Resource => "resource-based policy",
            Self::Trust => "role trust policy",
        }
    }
}

/// Why a request is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// A policy of this side denies it.
    Explicit(Side),
    /// No policy of this side allows it.
    Implicit(Side),
}

impl Reason {
    /// The clause that IAM ends a denial of `action` with, such as `because no session policy allows the
    /// ecr:PutImage action` (IAM User Guide, "Troubleshoot access denied error messages").
    pub fn clause(self, action: impl fmt::Display) -> String {
        match self {
            Self::Implicit(side) => {
                format!("because no {} allows the {action} action", side.as_str())
            }
            Self::Explicit(Side::Trust) => {
                "with an explicit deny in the role trust policy".to_owned()
            }
            Self::Explicit(Side::Identity) => {
                "with an explicit deny in an identity-based policy".to_owned()
            }
            Self::Explicit(side) => format!("with an explicit deny in a {}", side.as_str()),
        }
    }
}

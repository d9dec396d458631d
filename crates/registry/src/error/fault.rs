//! What IAM, STS and Organizations refuse with: one code each, the text is the operation's.

use super::Error;

macro_rules! faults {
    ($($(#[$meta:meta])* $name:ident = $code:literal,)*) => {
        /// A refusal that IAM, STS or Organizations documents.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Fault { $($(#[$meta])* $name,)* }

        impl Fault {
            /// Every fault.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code that the service gives it.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

faults! {
    /// No account of that id is in the organization.
    AccountNotFound = "AccountNotFoundException",
    /// Nothing of that id is in the organization.
    ChildNotFound = "ChildNotFoundException",
    /// No account was asked for under that id.
    CreateAccountStatusNotFound = "CreateAccountStatusNotFoundException",
    /// A member of a call of Organizations breaks a constraint.
    InvalidInputException = "InvalidInputException",
    /// What tags are asked for is not in the organization.
    TargetNotFound = "TargetNotFoundException",
    /// Two requests change the same thing at once.
    ConcurrentModification = "ConcurrentModification",
    /// Something still hangs on what is to be deleted.
    DeleteConflict = "DeleteConflict",
    /// The name is taken.
    EntityAlreadyExists = "EntityAlreadyExists",
    /// A session or identity token has ended.
    ExpiredToken = "ExpiredTokenException",
    /// An identity provider could not be asked.
    IdpCommunicationError = "IDPCommunicationError",
    /// An identity provider's token is not for this audience, or its claims are not accepted.
    IdpRejectedClaim = "IDPRejectedClaim",
    /// An encoded authorization message is not one of this service.
    InvalidAuthorizationMessage = "InvalidAuthorizationMessageException",
    /// An identity provider's token is malformed or not signed by it.
    InvalidIdentityToken = "InvalidIdentityToken",
    /// A value is of the right form and yet not possible.
    InvalidInput = "InvalidInput",
    /// A quota would be exceeded.
    LimitExceeded = "LimitExceeded",
    /// A policy document is not one.
    MalformedPolicyDocument = "MalformedPolicyDocument",
    /// What the request names is not there.
    NoSuchEntity = "NoSuchEntity",
    /// Session policies and tags take too much room together.
    PackedPolicyTooLarge = "PackedPolicyTooLarge",
    /// A simulation could not evaluate its input.
    PolicyEvaluation = "PolicyEvaluation",
    /// A policy of this kind cannot be attached there.
    PolicyNotAttachable = "PolicyNotAttachable",
    /// Only its owner may change it, and that is the service.
    UnmodifiableEntity = "UnmodifiableEntity",
    /// A member breaks a constraint; the text says which.
    Validation = "ValidationError",
}

impl Fault {
    /// The error with this text.
    pub fn because(self, message: impl Into<String>) -> Error {
        Error::Identity {
            fault: self,
            message: message.into(),
        }
    }
}

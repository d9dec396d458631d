//! Temporary credentials: the operations of STS, and the identity providers that it trusts.
//!
//! Nothing here writes: what a session may do and until when travels, sealed, with the session itself
//! ([`crate::session`]), and ends with the user or role that it was made of.

pub(crate) mod access_key;
mod access_key_info;
mod assume_role;
mod authorization_message;
mod caller_identity;
mod federation_token;
pub mod oidc;
mod role_session;
mod session_token;
mod terms;
mod web_identity;

pub use self::{
    access_key_info::{AccessKeyInfo, GetAccessKeyInfo},
    assume_role::{AssumeRole, RoleCredentials},
    authorization_message::{DecodeAuthorizationMessage, DecodedAuthorizationMessage},
    caller_identity::{CallerIdentity, GetCallerIdentity},
    federation_token::{FederatedUser, FederationToken, GetFederationToken},
    role_session::AssumedRoleUser,
    session_token::{GetSessionToken, SessionToken},
    terms::PolicyDescriptor,
    web_identity::{AssumeRoleWithWebIdentity, WebIdentityRole},
};

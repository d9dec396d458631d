//! The operations of IAM's API: users, groups and access keys, roles and policies, of the caller's own account.
//!
//! Every change raises the account's version in its own transaction, so that it acts on the next request.

pub mod absent;
pub mod access_key;
pub mod account;
pub mod account_alias;
pub mod attachment;
pub mod boundary;
pub mod details;
pub mod group;
pub mod identity;
pub mod inline_policy;
pub mod managed;
pub mod managed_policy;
pub mod oidc_provider;
pub mod role;
pub mod simulate;
pub mod tag;
pub mod user;

pub(crate) mod document;
pub(crate) mod holder;
pub(crate) mod id;
pub(crate) mod member;
pub(crate) mod page;
pub(crate) mod quota;

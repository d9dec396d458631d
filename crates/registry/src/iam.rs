//! The operations of IAM's API: users, groups and access keys, roles and policies, of the caller's own account.
//!
//! Every change raises the account's version in its own transaction, so that it acts on the next request.

pub mod account;
pub(crate) mod quota;

//! Temporary credentials: the operations of STS, and the identity providers that it trusts.

pub mod oidc;

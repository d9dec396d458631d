//! STS over HTTP: who calls, and how they become somebody for a while.

mod assume_role;
mod authorization_message;
mod session;
mod user;
mod web_identity;

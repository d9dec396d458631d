//! What an operator does to a whole store, beside a running server or without one: each command takes bounded steps that
//! prove what they rest on in their own transactions, as a second server would.

pub mod backup;
pub mod gc;
pub mod lost;
pub mod recover;
pub mod rekey;
pub mod restore;
pub mod scrub;
pub mod session;
mod unknown;

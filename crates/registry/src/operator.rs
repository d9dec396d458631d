//! What an operator does to a whole store, beside a running server or without one: each command takes bounded steps that
//! prove what they rest on in their own transactions, as a second server would.

pub mod gc;
pub mod recover;
pub mod rekey;
pub mod scrub;
pub mod session;

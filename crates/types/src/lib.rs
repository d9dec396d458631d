//! Values of the registry's language: digests, names, ARNs, media types, manifests.
//!
//! A value is made by parsing and is valid from then on; nothing here does I/O, reads a clock or waits.

mod text;

pub mod account;
pub mod alias;
pub mod arn;
pub mod constraint;
pub mod digest;
pub mod fuzz;
pub mod id;
pub mod lifecycle;
pub mod manifest;
pub mod media_type;
pub mod mutability;
pub mod name;
pub mod range;
pub mod time;
pub mod wildcard;

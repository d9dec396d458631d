//! The product: operations, tables, authorization and jobs.
//!
//! Nothing here names an HTTP status or header; `server` turns [`Error`] into the two wires.
//! Start at [`operation`] for the pipeline that every request takes, and at [`op`] and [`oci`] for what they do.

mod account_setting;
pub mod authz;
pub mod body;
pub mod bootstrap;
mod cache;
pub mod core;
mod creation;
pub mod cx;
mod deferred;
pub mod endpoints;
pub mod error;
pub mod extension;
pub mod iam;
pub mod job;
pub mod keys;
pub mod member;
mod named;
pub mod oci;
pub mod op;
pub mod operation;
pub mod operator;
pub mod organization;
pub mod organizations;
pub mod page;
pub mod principal;
pub mod public;
mod pulls;
pub mod quota;
pub mod rate;
pub mod secret;
pub mod session;
pub mod storage;
pub mod sts;
mod table;
mod target;
pub mod token;
mod turns;
mod usage;

pub use crate::{
    core::{Core, Settings},
    cx::{Cx, RequestFacts, Scope},
    error::{Error, Result},
    operation::{Operation, allow, execute},
};

//! The longshore server: HTTP, the AWS and OCI protocols, configuration.
//!
//! Start at [`serve`] for the life of a server, and at `handle` for that of a request.

pub mod account;
pub mod alias;
mod app;
pub mod aws;
mod backoff;
mod body;
pub mod cidr;
pub mod config;
mod exchange;
pub mod first_start;
mod handle;
mod health;
pub mod host;
pub mod listener;
pub mod log;
mod logo;
mod machine;
mod metrics;
mod oci;
mod oci_client;
pub mod oidc;
pub mod operator;
mod origin;
pub mod recover;
pub mod rekey;
pub mod remote;
mod reply;
pub mod report_in_use;
pub mod repository;
pub mod route;
pub mod serve;
mod slots;
pub mod stores;
pub mod transfer;

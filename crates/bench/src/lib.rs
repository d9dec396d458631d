//! Load tool: drives any registry over HTTP with the same work and compares them.
//!
//! It knows the OCI distribution protocol, the calls of ECR that some workloads make, and `/proc`, and nothing of any one
//! server.

mod aws;
pub mod client;
pub mod config;
pub mod drive;
pub mod engines;
pub mod measure;
pub mod payload;
pub mod registry;
pub mod report;
pub mod run;
pub mod scale;
pub mod soak;
pub mod target;
pub mod workload;

#[cfg(test)]
mod scripted;

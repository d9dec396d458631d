//! Who may do what: policies of callers, repositories and registries, and how fast a change acts.

mod anonymous;
mod chaining;
mod context;
mod cost;
mod decisions;
mod last_used;
pub(crate) mod people;
mod replicas;
mod resource_policies;
mod revocation;
mod settings;

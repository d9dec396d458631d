//! The policy language from outside: documents as people write them, requests as they come, and what AWS answers.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod conditions;
mod documents;
mod ecr;
mod elements;
mod explain;
mod logic;
mod naive;
mod principals;
mod properties;
mod trust;
mod variables;
mod world;

//! The product through its operations: real SQLite, real files, a clock and ids that the tests hold.

#![expect(
    clippy::unwrap_used,
    reason = "functions that tests share are tests too"
)]

mod archive;
mod authz;
mod backup;
mod blob;
mod collection;
mod concurrency;
mod contention;
mod copy;
mod cost;
mod creation_template;
mod harness;
mod iam;
mod image;
mod jump;
mod late;
mod layer;
mod lifecycle;
mod line;
mod open_uploads;
mod operator;
mod pages;
mod postgres;
mod public;
mod pull_time_exclusion;
mod quota;
mod rate;
mod recover;
mod registry;
mod rekey;
mod repair;
mod reports;
mod repository;
mod resource;
mod segments;
mod sts;

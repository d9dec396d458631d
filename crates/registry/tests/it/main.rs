//! The product through its operations: real SQLite, real files, a clock and ids that the tests hold.

mod blob;
mod collection;
mod concurrency;
mod harness;
mod image;
mod layer;
mod pages;
mod registry;
mod repository;
mod resource;

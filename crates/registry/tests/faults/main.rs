//! The product over stores that fail: at every call of the segment store, at every step of the metadata engine, and when
//! the disk is full. Whatever was acknowledged is there afterwards, nothing is half admitted, and a retry succeeds.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod course;
mod creation;
mod engine;
mod full;
mod segments;
mod world;

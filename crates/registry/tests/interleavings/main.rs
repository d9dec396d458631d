//! Requests and sweepers that meet: by chance, many at a time, and at chosen moments.
//!
//! The engine runs one write after the other, so what can go wrong is between the transactions of a request; bodies that
//! wait at a gate hold a request there, and a scheduler tries one order of transactions after the other.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod gate;
mod pairs;
mod replicas;
mod schedules;
mod soak;
mod uploads;
#[path = "../faults/world.rs"]
mod world;

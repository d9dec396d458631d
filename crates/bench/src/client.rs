//! A small HTTP/1.1 client that costs little processor time, for it shares the machine with the server it measures.
//!
//! One connection carries one request at a time; bodies that nobody needs are dropped inside the kernel.

mod auth;
mod connection;
mod endpoint;
mod response;

pub use auth::Credentials;
pub use connection::{Body, Connection, Request, Sink};
pub use endpoint::{Endpoint, Location};
pub use response::Response;

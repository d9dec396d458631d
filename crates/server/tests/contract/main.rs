//! The JSON API held against the service model that its clients are generated from: every operation, member, constraint,
//! output shape and error, through the real server with signed requests.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod answers;
#[path = "../crash/api.rs"]
mod api;
mod cases;
mod exceptions;
#[path = "../crash/http.rs"]
mod http;
mod inputs;
mod model;
mod operations;
mod public;
mod query;
mod refusals;
mod scene;
#[path = "../crash/server.rs"]
mod server;

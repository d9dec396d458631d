//! Drives a real server with the real clients of others, and tells how each fared.
//!
//! Needs root (dockerd, namespaces) and what `.ci/install-clients` installs. A missing client fails.
//! `cargo test -p longshore-clients-test [-- FILTER…]` runs the cases whose `client::case` holds a filter.

mod clients;
mod harness;

use std::process::ExitCode;

use harness::namespace;
use harness::runner::{self, Selection};

fn main() -> ExitCode {
    let selection = Selection::from_arguments(std::env::args().skip(1));
    let outcome = match namespace::enter() {
        Ok(namespace::Entered::Inside) => runner::run(&clients::all(), &selection),
        Ok(namespace::Entered::Ran(code)) => return code,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

//! The operations of OCI distribution 1.1 (`/v2`), as values; `server` parses and prints them.

pub mod blob;
pub mod catalog;
pub mod manifest;
pub mod referrers;
pub mod tags;
pub mod upload;

use crate::{
    error::{Error, Result},
    principal::Caller,
};

/// `GET /v2/`: any known caller may.
#[derive(Debug)]
pub struct Ping;

impl Ping {
    /// Checks that somebody calls.
    pub fn check(caller: &Caller) -> Result<()> {
        match caller {
            Caller::Known(_) => Ok(()),
            Caller::Anonymous => Err(Error::AuthenticationRequired),
        }
    }
}

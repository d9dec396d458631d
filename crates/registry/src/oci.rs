//! The operations of OCI distribution 1.1 (`/v2`), as values; `server` parses and prints them.

pub mod blob;
pub mod catalog;
pub mod manifest;
pub mod referrers;
pub mod tags;
pub mod upload;

use crate::{
    authz::{Ecr, Needs, Permit, Resource},
    cx::{Cx, Scope},
    error::Result,
    operation::Operation,
};

/// `GET /v2/`: any known caller may, who got a password once.
#[derive(Debug)]
pub struct Ping;

impl Operation for Ping {
    type Output = ();

    fn needs(&self, _: &Scope) -> Result<Needs> {
        Ok(Needs::one(Ecr::GetAuthorizationToken, Resource::Caller))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<()> {
        cx.read(permit.grant(), |_, _| Ok(())).await
    }
}

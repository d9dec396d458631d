//! What ECR Public has of its own: aliases, catalog data, and the operations that ECR has not or has otherwise.
//!
//! A public registry is a registry like any other: `op/` and `oci/` work in it, too, by the actions of ECR Public
//! ([`crate::authz::Action`]). Everything about it is thin over the same tables and rules.

pub mod alias;
mod catalog;
pub mod image;
pub mod logo;
pub mod registry;
pub mod repository;

use longshore_types::account::Region;

use crate::{
    core::Core,
    error::{Error, Result},
};

/// Where ECR Public is (AWS General Reference, "Amazon ECR Public endpoints").
const REGIONS: [&str; 2] = ["us-east-1", "us-west-2"];

/// Refuses calls to Regions that ECR Public is not in. It is in AWS's two, and in the Region of this server.
pub fn check_region(core: &Core, region: Region) -> Result<()> {
    if REGIONS.contains(&region.as_str()) || region == core.first_registry().region() {
        Ok(())
    } else {
        Err(Error::UnsupportedCommand(region))
    }
}

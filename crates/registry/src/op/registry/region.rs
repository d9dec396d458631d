//! How many Regions an account keeps something of its registry in: a signature may name any, and rows are not to grow
//! with names that somebody makes up.

use longshore_store::meta::Tx;
use longshore_types::account::Registry;

use crate::{
    error::{Error, Result},
    table::account_setting,
};

/// More than AWS has.
const MOST: i64 = 40;

/// Whether the account has settings, policies or exclusions in 40 other Regions: then it gets none in a further one.
pub(super) fn is_one_too_many(tx: &mut dyn Tx, registry: &Registry) -> Result<bool> {
    Ok(account_setting::other_regions(tx, registry)? >= MOST)
}

/// Fails when the account has settings, policies or exclusions in 40 other Regions.
pub(super) fn check(tx: &mut dyn Tx, registry: &Registry) -> Result<()> {
    if !is_one_too_many(tx, registry)? {
        return Ok(());
    }
    Err(Error::LimitExceeded(format!(
        "The account with id '{}' cannot have registries in more than {MOST} Regions",
        registry.account()
    )))
}

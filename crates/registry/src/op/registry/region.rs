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

/// Fails when the account has settings, policies or exclusions in 40 other Regions.
pub(super) fn check(tx: &mut dyn Tx, registry: &Registry) -> Result<()> {
    if account_setting::other_regions(tx, registry)? < MOST {
        return Ok(());
    }
    Err(Error::LimitExceeded(format!(
        "The account with id '{}' cannot have registries in more than {MOST} Regions",
        registry.account()
    )))
}

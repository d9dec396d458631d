//! Settings of registries, by account and Region.

use longshore_store::meta::{Result, Tx};
use longshore_types::account::Registry;

use super::args;

/// Returns the value of a setting, if it was ever set.
pub(crate) fn get(tx: &mut dyn Tx, registry: &Registry, name: &str) -> Result<Option<String>> {
    tx.row(
        "SELECT value FROM account_setting WHERE account = ?1 AND region = ?2 AND name = ?3",
        args![
            registry.account().as_str(),
            registry.region().as_str(),
            name
        ],
    )
}

/// Sets a setting.
pub(crate) fn put(tx: &mut dyn Tx, registry: &Registry, name: &str, value: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO account_setting (account, region, name, value) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (account, region, name) DO UPDATE SET value = excluded.value",
        args![
            registry.account().as_str(),
            registry.region().as_str(),
            name,
            value
        ],
    )
    .map(drop)
}

/// Returns in how many other Regions the account has settings, a registry policy or exclusions.
pub(crate) fn other_regions(tx: &mut dyn Tx, registry: &Registry) -> Result<i64> {
    tx.count(
        "SELECT COUNT(*) FROM (SELECT region FROM account_setting WHERE account = ?1 \
         UNION SELECT region FROM registry_policy WHERE kind = ?3 AND account = ?1 \
         UNION SELECT region FROM pull_time_exclusion WHERE account = ?1) known WHERE region <> ?2",
        args![
            registry.account().as_str(),
            registry.region().as_str(),
            registry.kind().as_str()
        ],
    )
}

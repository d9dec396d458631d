//! Policies of registries.

use longshore_store::meta::{Columns, Result, Row, Tx};
use longshore_types::account::Registry;

use super::{args, target::PolicyRow};

impl Row for PolicyRow {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            text: columns.text(0)?.to_owned(),
            principals: columns.text(1)?.to_owned(),
        })
    }
}

/// Returns the policy of a registry.
pub(crate) fn get(tx: &mut dyn Tx, registry: &Registry) -> Result<Option<PolicyRow>> {
    tx.row(
        "SELECT policy, principals FROM registry_policy WHERE kind = ?1 AND account = ?2 AND region = ?3",
        args![
            registry.kind().as_str(),
            registry.account().as_str(),
            registry.region().as_str()
        ],
    )
}

/// Gives a registry a policy.
pub(crate) fn put(tx: &mut dyn Tx, registry: &Registry, policy: &PolicyRow) -> Result<()> {
    tx.execute(
        "INSERT INTO registry_policy (kind, account, region, policy, principals) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (kind, account, region) DO UPDATE SET policy = excluded.policy, principals = excluded.principals",
        args![
            registry.kind().as_str(),
            registry.account().as_str(),
            registry.region().as_str(),
            &policy.text,
            &policy.principals,
        ],
    )
    .map(drop)
}

/// Takes the policy of a registry away.
pub(crate) fn remove(tx: &mut dyn Tx, registry: &Registry) -> Result<()> {
    tx.execute(
        "DELETE FROM registry_policy WHERE kind = ?1 AND account = ?2 AND region = ?3",
        args![
            registry.kind().as_str(),
            registry.account().as_str(),
            registry.region().as_str()
        ],
    )
    .map(drop)
}

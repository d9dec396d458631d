//! Users and roles whose pulls from a registry are not recorded. They need not exist.

use longshore_store::meta::{Result, Tx};
use longshore_types::{account::Registry, arn::PrincipalArn};

use super::args;

/// Excludes a principal. Returns whether it was not excluded before.
pub(crate) fn insert(
    tx: &mut dyn Tx,
    registry: &Registry,
    principal: &PrincipalArn,
) -> Result<bool> {
    let now = tx.now();
    let inserted = tx.execute(
        "INSERT INTO pull_time_exclusion (account, region, principal, created_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        args![
            registry.account().as_str(),
            registry.region().as_str(),
            &principal.to_string(),
            now
        ],
    )?;
    Ok(inserted > 0)
}

/// Lets a principal's pulls count again. Returns whether it was excluded.
pub(crate) fn remove(
    tx: &mut dyn Tx,
    registry: &Registry,
    principal: &PrincipalArn,
) -> Result<bool> {
    let removed = tx.execute(
        "DELETE FROM pull_time_exclusion WHERE account = ?1 AND region = ?2 AND principal = ?3",
        args![
            registry.account().as_str(),
            registry.region().as_str(),
            &principal.to_string()
        ],
    )?;
    Ok(removed > 0)
}

/// Returns how many principals are excluded.
pub(crate) fn count(tx: &mut dyn Tx, registry: &Registry) -> Result<i64> {
    tx.count(
        "SELECT COUNT(*) FROM pull_time_exclusion WHERE account = ?1 AND region = ?2",
        args![registry.account().as_str(), registry.region().as_str()],
    )
}

/// Returns up to `limit` excluded principals after `after`, in order of their ARNs.
pub(crate) fn page(
    tx: &mut dyn Tx,
    registry: &Registry,
    after: &str,
    limit: i64,
) -> Result<Vec<String>> {
    tx.rows(
        "SELECT principal FROM pull_time_exclusion WHERE account = ?1 AND region = ?2 AND principal > ?3 \
         ORDER BY principal LIMIT ?4",
        args![
            registry.account().as_str(),
            registry.region().as_str(),
            after,
            limit
        ],
    )
}

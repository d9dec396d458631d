//! Policies that belong to one user, group or role and go with it.

use longshore_store::meta::{Result, Tx};

use super::args;

/// Adds a policy or replaces the one of that name.
pub(crate) fn put(tx: &mut dyn Tx, holder: &str, name: &str, document: &str) -> Result<()> {
    let sql = "INSERT INTO inline_policy (holder, name, document) VALUES (?1, ?2, ?3) \
               ON CONFLICT (holder, name) DO UPDATE SET document = excluded.document";
    tx.execute(sql, args![holder, name, document]).map(drop)
}

/// Returns the document of one policy.
pub(crate) fn get(tx: &mut dyn Tx, holder: &str, name: &str) -> Result<Option<String>> {
    let sql = "SELECT document FROM inline_policy WHERE holder = ?1 AND name = ?2";
    tx.row(sql, args![holder, name])
}

/// Removes a policy; returns whether it was there.
pub(crate) fn remove(tx: &mut dyn Tx, holder: &str, name: &str) -> Result<bool> {
    let sql = "DELETE FROM inline_policy WHERE holder = ?1 AND name = ?2";
    Ok(tx.execute(sql, args![holder, name])? == 1)
}

/// Returns up to `limit` names in order, after `after`.
pub(crate) fn names(tx: &mut dyn Tx, holder: &str, after: &str, limit: i64) -> Result<Vec<String>> {
    let sql =
        "SELECT name FROM inline_policy WHERE holder = ?1 AND name > ?2 ORDER BY name LIMIT ?3";
    tx.rows(sql, args![holder, after, limit])
}

/// Returns all policies of a holder as name and document, in order of name. Their size together is bounded.
pub(crate) fn all(tx: &mut dyn Tx, holder: &str) -> Result<Vec<(String, String)>> {
    let sql = "SELECT name, document FROM inline_policy WHERE holder = ?1 ORDER BY name";
    tx.rows(sql, args![holder])
}

/// Returns whether a holder has any.
pub(crate) fn any(tx: &mut dyn Tx, holder: &str) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM inline_policy WHERE holder = ?1 LIMIT 1) x";
    Ok(tx.count(sql, args![holder])? > 0)
}

//! Resource tags of repositories.

use longshore_store::meta::{Result, Tx, Value};
use longshore_types::id::Incarnation;

use super::{args, placeholders};

/// Returns the tags in order of key.
pub(crate) fn all(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<Vec<(String, String)>> {
    let sql = "SELECT name, value FROM repository_tag WHERE incarnation = ?1 ORDER BY name";
    tx.rows(sql, args![incarnation.as_bytes()])
}

/// Adds a tag or replaces its value.
pub(crate) fn put(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    name: &str,
    value: &str,
) -> Result<()> {
    tx.execute(
        "INSERT INTO repository_tag (incarnation, name, value) VALUES (?1, ?2, ?3) \
         ON CONFLICT (incarnation, name) DO UPDATE SET value = excluded.value",
        args![incarnation.as_bytes(), name, value],
    )
    .map(drop)
}

/// Removes the tags of those keys that are there.
pub(crate) fn remove(tx: &mut dyn Tx, incarnation: Incarnation, names: &[String]) -> Result<()> {
    let mut args = vec![Value::from(incarnation.as_bytes())];
    args.extend(names.iter().map(Value::from));
    let sql = format!(
        "DELETE FROM repository_tag WHERE incarnation = ?1 AND name IN ({})",
        placeholders(1, names.len())
    );
    tx.execute(&sql, &args).map(drop)
}

/// Removes all tags of a dead repository.
pub(crate) fn clear(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<()> {
    tx.execute(
        "DELETE FROM repository_tag WHERE incarnation = ?1",
        args![incarnation.as_bytes()],
    )
    .map(drop)
}

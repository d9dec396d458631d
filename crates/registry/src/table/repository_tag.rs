//! Resource tags of repositories.

use longshore_store::meta::{Result, Tx, Value};
use longshore_types::id::Incarnation;

use super::{ROWS_PER_STATEMENT, args, placeholders, values};

/// Returns the tags in order of key.
pub(crate) fn all(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<Vec<(String, String)>> {
    let sql = "SELECT name, value FROM repository_tag WHERE incarnation = ?1 ORDER BY name";
    tx.rows(sql, args![incarnation.as_bytes()])
}

/// Adds tags, each name once, or replaces their values.
pub(crate) fn put(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    tags: &[(String, String)],
) -> Result<()> {
    for chunk in tags.chunks(ROWS_PER_STATEMENT) {
        let mut args = vec![Value::from(incarnation.as_bytes())];
        for (name, value) in chunk {
            args.extend([Value::from(name), Value::from(value)]);
        }
        let sql = format!(
            "INSERT INTO repository_tag (incarnation, name, value) VALUES {} \
             ON CONFLICT (incarnation, name) DO UPDATE SET value = excluded.value",
            values(1, 2, chunk.len())
        );
        tx.execute(&sql, &args)?;
    }
    Ok(())
}

/// Returns how many tags there are.
pub(crate) fn count(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM repository_tag WHERE incarnation = ?1";
    tx.count(sql, args![incarnation.as_bytes()])
}

/// Removes the tags of those keys that are there.
pub(crate) fn remove(tx: &mut dyn Tx, incarnation: Incarnation, names: &[String]) -> Result<()> {
    for chunk in names.chunks(ROWS_PER_STATEMENT) {
        let mut args = vec![Value::from(incarnation.as_bytes())];
        args.extend(chunk.iter().map(Value::from));
        let sql = format!(
            "DELETE FROM repository_tag WHERE incarnation = ?1 AND name IN ({})",
            placeholders(1, chunk.len())
        );
        tx.execute(&sql, &args)?;
    }
    Ok(())
}

/// Removes all tags of a dead repository.
pub(crate) fn clear(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<()> {
    tx.execute(
        "DELETE FROM repository_tag WHERE incarnation = ?1",
        args![incarnation.as_bytes()],
    )
    .map(drop)
}

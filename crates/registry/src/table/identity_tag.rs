//! Tags of users and roles, by their id, and of managed policies and identity providers, by their ARN. A key is one
//! tag in whatever case it is written.

use longshore_store::meta::{Result, Tx, Value};

use super::{ROWS_PER_STATEMENT, args, placeholders, values};

/// Returns the tags in order of key.
pub(crate) fn all(tx: &mut dyn Tx, holder: &str) -> Result<Vec<(String, String)>> {
    let sql = "SELECT name, value FROM identity_tag WHERE holder = ?1 ORDER BY name_key";
    tx.rows(sql, args![holder])
}

/// Returns up to `limit` tags in order of key, after `after`, which is a key in lower case.
pub(crate) fn page(
    tx: &mut dyn Tx,
    holder: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, String)>> {
    tx.rows(
        "SELECT name, value FROM identity_tag WHERE holder = ?1 AND name_key > ?2 ORDER BY name_key LIMIT ?3",
        args![holder, after, limit],
    )
}

/// Adds tags, each key once, or replaces what is there under the same key.
pub(crate) fn put(tx: &mut dyn Tx, holder: &str, tags: &[(String, String)]) -> Result<()> {
    for chunk in tags.chunks(ROWS_PER_STATEMENT) {
        let keys: Vec<String> = chunk.iter().map(|(name, _)| key(name)).collect();
        let mut args = vec![Value::from(holder)];
        for (key, (name, value)) in keys.iter().zip(chunk) {
            args.extend([Value::from(key), Value::from(name), Value::from(value)]);
        }
        let sql = format!(
            "INSERT INTO identity_tag (holder, name_key, name, value) VALUES {} \
             ON CONFLICT (holder, name_key) DO UPDATE SET name = excluded.name, value = excluded.value",
            values(1, 3, chunk.len())
        );
        tx.execute(&sql, &args)?;
    }
    Ok(())
}

/// Returns how many tags there are.
pub(crate) fn count(tx: &mut dyn Tx, holder: &str) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM identity_tag WHERE holder = ?1";
    tx.count(sql, args![holder])
}

/// Removes the tags of those keys that are there.
pub(crate) fn remove(tx: &mut dyn Tx, holder: &str, names: &[String]) -> Result<()> {
    for chunk in names.chunks(ROWS_PER_STATEMENT) {
        let keys: Vec<String> = chunk.iter().map(|name| key(name)).collect();
        let mut args = vec![Value::from(holder)];
        args.extend(keys.iter().map(Value::from));
        let sql = format!(
            "DELETE FROM identity_tag WHERE holder = ?1 AND name_key IN ({})",
            placeholders(1, chunk.len())
        );
        tx.execute(&sql, &args)?;
    }
    Ok(())
}

/// Removes all tags of what is deleted.
pub(crate) fn clear(tx: &mut dyn Tx, holder: &str) -> Result<()> {
    tx.execute("DELETE FROM identity_tag WHERE holder = ?1", args![holder])
        .map(drop)
}

/// What keys are compared by.
pub(crate) fn key(name: &str) -> String {
    name.to_lowercase()
}

//! Groups and who is in them.

use longshore_store::meta::{Result, Tx};
use longshore_types::account::AccountId;

use super::{
    args,
    identity::{Identity, name_key},
};

/// Returns how many groups the account has.
pub(crate) fn count(tx: &mut dyn Tx, account: AccountId) -> Result<i64> {
    tx.count(
        "SELECT COUNT(*) FROM user_group WHERE account = ?1",
        args![account.as_str()],
    )
}

/// Makes a group, unless the name is taken; returns whether it did.
pub(crate) fn insert(tx: &mut dyn Tx, account: AccountId, group: &Identity) -> Result<bool> {
    let made = tx.execute(
        "INSERT INTO user_group (id, account, name, name_key, path, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT DO NOTHING",
        args![
            &group.id,
            account.as_str(),
            &group.name,
            &name_key(&group.name),
            &group.path,
            group.created_at
        ],
    )?;
    Ok(made == 1)
}

/// Gives a group its name and path anew; its name must be free, or its own.
pub(crate) fn rename(tx: &mut dyn Tx, group: &Identity) -> Result<()> {
    tx.execute(
        "UPDATE user_group SET name = ?2, name_key = ?3, path = ?4 WHERE id = ?1",
        args![&group.id, &group.name, &name_key(&group.name), &group.path],
    )
    .map(drop)
}

/// Removes a group; whatever hangs on it must be gone.
pub(crate) fn delete(tx: &mut dyn Tx, id: &str) -> Result<()> {
    tx.execute("DELETE FROM user_group WHERE id = ?1", args![id])
        .map(drop)
}

/// Puts a user into a group, unless it is there; returns whether it did.
pub(crate) fn add(tx: &mut dyn Tx, group: &str, user: &str) -> Result<bool> {
    let sql =
        "INSERT INTO group_member (user_group, principal) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    Ok(tx.execute(sql, args![group, user])? == 1)
}

/// Takes a user out of a group; returns whether it was there.
pub(crate) fn remove(tx: &mut dyn Tx, group: &str, user: &str) -> Result<bool> {
    let sql = "DELETE FROM group_member WHERE user_group = ?1 AND principal = ?2";
    Ok(tx.execute(sql, args![group, user])? == 1)
}

/// Returns whether anybody is in the group.
pub(crate) fn has_members(tx: &mut dyn Tx, group: &str) -> Result<bool> {
    Ok(tx.count(
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM group_member WHERE user_group = ?1) THEN 1 ELSE 0 END",
        args![group],
    )? == 1)
}

/// Returns up to `limit` users of a group in order of their ids, after the id `after`.
pub(crate) fn members(
    tx: &mut dyn Tx,
    group: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<Identity>> {
    tx.rows(
        "SELECT p.id, p.name, p.path, p.created_at, p.boundary FROM group_member m JOIN principal p ON p.id = m.principal \
         WHERE m.user_group = ?1 AND m.principal > ?2 ORDER BY m.principal LIMIT ?3",
        args![group, after, limit],
    )
}

/// Returns how many groups a user is in.
pub(crate) fn count_of(tx: &mut dyn Tx, user: &str) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM group_member WHERE principal = ?1";
    tx.count(sql, args![user])
}

/// Returns up to `limit` groups that a user is in, in order of their ids, after the id `after`.
pub(crate) fn of(tx: &mut dyn Tx, user: &str, after: &str, limit: i64) -> Result<Vec<Identity>> {
    tx.rows(
        "SELECT g.id, g.name, g.path, g.created_at, NULL FROM group_member m JOIN user_group g ON g.id = m.user_group \
         WHERE m.principal = ?1 AND m.user_group > ?2 ORDER BY m.user_group LIMIT ?3",
        args![user, after, limit],
    )
}

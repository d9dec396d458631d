//! Users: principals of that kind.

use longshore_store::meta::{Result, Tx};
use longshore_types::account::AccountId;

use super::{
    args,
    identity::{Identity, IdentityKind, name_key},
};

/// Returns up to `limit` users in order of name, after the name key `after`, with a path that begins with `prefix`.
pub(crate) fn page(
    tx: &mut dyn Tx,
    account: AccountId,
    prefix: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<Identity>> {
    tx.rows(
        "SELECT id, name, path, created_at, boundary FROM principal WHERE account = ?1 AND kind = 'user' AND name_key > ?2 \
         AND SUBSTR(path, 1, LENGTH(?3)) = ?3 ORDER BY name_key LIMIT ?4",
        args![account.as_str(), after, prefix, limit],
    )
}

/// Returns how many users the account has.
pub(crate) fn count(tx: &mut dyn Tx, account: AccountId) -> Result<i64> {
    tx.count(
        "SELECT COUNT(*) FROM principal WHERE account = ?1 AND kind = 'user'",
        args![account.as_str()],
    )
}

/// Makes a user, unless the name is taken; returns whether it did.
pub(crate) fn insert(tx: &mut dyn Tx, account: AccountId, user: &Identity) -> Result<bool> {
    let made = tx.execute(
        "INSERT INTO principal (id, account, arn, created_at, kind, name, name_key, path, boundary) \
         VALUES (?1, ?2, ?3, ?4, 'user', ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
        args![
            &user.id,
            account.as_str(),
            &IdentityKind::User.arn(account, &user.path, &user.name),
            user.created_at,
            &user.name,
            &name_key(&user.name),
            &user.path,
            user.boundary.as_deref()
        ],
    )?;
    Ok(made == 1)
}

/// Gives a user its name and path anew; its name must be free, or its own.
pub(crate) fn rename(tx: &mut dyn Tx, account: AccountId, user: &Identity) -> Result<()> {
    let arn = IdentityKind::User.arn(account, &user.path, &user.name);
    tx.execute(
        "UPDATE principal SET arn = ?2, name = ?3, name_key = ?4, path = ?5 WHERE id = ?1",
        args![
            &user.id,
            &arn,
            &user.name,
            &name_key(&user.name),
            &user.path
        ],
    )
    .map(drop)
}

/// Removes a user; whatever hangs on it must be gone.
pub(crate) fn delete(tx: &mut dyn Tx, id: &str) -> Result<()> {
    tx.execute("DELETE FROM principal WHERE id = ?1", args![id])
        .map(drop)
}

//! Users: principals of that kind.

use longshore_store::meta::{Result, Tx};
use longshore_types::account::AccountId;

use super::{
    args,
    identity::{Identity, IdentityKind, name_key},
};

/// Returns how many users the account has.
pub(crate) fn count(tx: &mut dyn Tx, account: AccountId) -> Result<i64> {
    tx.count(
        "SELECT COUNT(*) FROM principal WHERE account = ?1 AND kind = 'user'",
        args![account.as_str()],
    )
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

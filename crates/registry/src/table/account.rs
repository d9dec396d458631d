//! Accounts.

use longshore_store::meta::{Result, Tx};
use longshore_types::account::AccountId;

use super::args;

/// Voids every decision that was made for principals of `account` or by its policies. Part of every transaction that
/// changes what an account's principals are or may do, or its registry policies and settings.
pub(crate) fn bump(tx: &mut dyn Tx, account: AccountId) -> Result<()> {
    tx.execute(
        "UPDATE account SET version = version + 1 WHERE id = ?1",
        args![account.as_str()],
    )
    .map(drop)
}

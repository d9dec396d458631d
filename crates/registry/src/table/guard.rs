//! The versions that decisions rest on.

use longshore_store::meta::{Result, Tx};
use longshore_types::{account::AccountId, id::Incarnation};

use super::args;

/// Returns the versions of an account and of a live repository, and holds the repository alive for this transaction.
pub(crate) fn versions(
    tx: &mut dyn Tx,
    account: &AccountId,
    incarnation: Incarnation,
) -> Result<Option<(i64, i64)>> {
    tx.row(
        "SELECT a.version, r.version FROM account a JOIN repository r ON r.incarnation = ?2 AND r.died_at IS NULL \
         WHERE a.id = ?1 /*for share*/",
        args![&account.to_string(), incarnation.as_bytes()],
    )
}

/// Returns the version of an account.
pub(crate) fn account_version(tx: &mut dyn Tx, account: &AccountId) -> Result<Option<i64>> {
    tx.row(
        "SELECT version FROM account WHERE id = ?1",
        args![&account.to_string()],
    )
}

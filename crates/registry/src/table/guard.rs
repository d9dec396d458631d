//! The versions that decisions rest on.

use longshore_store::meta::{Columns, Result, Row, Tx};
use longshore_types::{account::AccountId, id::Incarnation};

use super::{args, guarded};

/// What changes when something changes that a decision was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Versions {
    /// Of the caller's account: its principals, keys and identity policies. Nobody has none.
    pub(crate) caller: Option<i64>,
    /// Of the account that owns the resource: its registry policies and settings.
    pub(crate) owner: i64,
    /// Of the repository: its policy, tags and settings; 0 where there is none.
    pub(crate) repository: i64,
}

impl Row for Versions {
    /// Reads them from the first columns of a `guarded!` statement.
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            caller: columns.opt_int(0)?,
            owner: columns.int(1)?,
            repository: columns.int(2)?,
        })
    }
}

/// Returns the versions for a live repository, and holds it alive for this transaction. `caller` is an account, or empty.
///
/// Whoever takes something away from somebody waits for none of those who do this: of accounts nothing is locked.
pub(crate) fn of_repository(
    tx: &mut dyn Tx,
    caller: &str,
    incarnation: Incarnation,
) -> Result<Option<Versions>> {
    tx.row(
        guarded!("0", "/*in line: r.incarnation*/", "/*for share of r*/"),
        args![caller, incarnation.as_bytes()],
    )
}

/// The same, with nobody else in it: comes after those that are, and before those that come later.
pub(crate) fn of_repository_alone(
    tx: &mut dyn Tx,
    caller: &str,
    incarnation: Incarnation,
) -> Result<Option<Versions>> {
    tx.row(
        guarded!(
            "0",
            "/*alone in line: r.incarnation*/",
            "/*for no key update of r*/"
        ),
        args![caller, incarnation.as_bytes()],
    )
}

/// Returns the versions for something of an account that is no repository. `caller` is an account, or empty.
pub(crate) fn of_account(
    tx: &mut dyn Tx,
    caller: &str,
    owner: AccountId,
) -> Result<Option<Versions>> {
    tx.row(
        "SELECT (SELECT version FROM account WHERE id = ?1), version, 0 FROM account WHERE id = ?2",
        args![caller, owner.as_str()],
    )
}

/// The same, with nobody else who is to raise the account's version. The stronger lock at once: of two that share one and
/// want more, each would wait for the other.
pub(crate) fn of_account_alone(
    tx: &mut dyn Tx,
    caller: &str,
    owner: AccountId,
) -> Result<Option<Versions>> {
    tx.row(
        "SELECT (SELECT version FROM account WHERE id = ?1), version, 0 FROM account WHERE id = ?2 /*for no key update*/",
        args![caller, owner.as_str()],
    )
}

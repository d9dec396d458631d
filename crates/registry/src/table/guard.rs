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

/// Versions that are held for this transaction.
pub(crate) struct Held {
    /// The versions; none where there is no such repository or account.
    pub(crate) versions: Option<Versions>,
    /// Whether somebody else was waited for: what this transaction read before may be of before then.
    pub(crate) has_waited: bool,
}

impl Held {
    /// Versions that nobody was waited for.
    pub(crate) fn at_once(versions: Option<Versions>) -> Self {
        Self {
            versions,
            has_waited: false,
        }
    }
}

/// Returns the versions for a live repository. `caller` is an account, or empty.
pub(crate) fn of_repository(
    tx: &mut dyn Tx,
    caller: &str,
    incarnation: Incarnation,
) -> Result<Option<Versions>> {
    tx.row(guarded!("0", "", ""), args![caller, incarnation.as_bytes()])
}

/// The same, and holds it alive for this transaction.
///
/// Whoever takes something away from somebody waits for none of those who do this: of accounts nothing is locked.
pub(crate) fn hold_repository(
    tx: &mut dyn Tx,
    caller: &str,
    incarnation: Incarnation,
) -> Result<Held> {
    let at_once = guarded!(
        "0",
        "/*in line at once: r.incarnation*/",
        "/*for share of r skip locked*/"
    );
    let wait = "SELECT 1 FROM repository r /*in line: r.incarnation*/ WHERE r.incarnation = ?1 AND r.died_at IS NULL \
                /*for share of r*/";
    hold(tx, caller, incarnation, (at_once, wait))
}

/// The same, with nobody else in it: comes after those that are, and before those that come later.
pub(crate) fn hold_repository_alone(
    tx: &mut dyn Tx,
    caller: &str,
    incarnation: Incarnation,
) -> Result<Held> {
    let at_once = guarded!(
        "0",
        "/*alone in line at once: r.incarnation*/",
        "/*for no key update of r skip locked*/"
    );
    let wait = "SELECT 1 FROM repository r /*alone in line: r.incarnation*/ WHERE r.incarnation = ?1 AND r.died_at IS NULL \
                /*for no key update of r*/";
    hold(tx, caller, incarnation, (at_once, wait))
}

/// A statement sees what was committed when it began, however long it then waits: so one waits, and another one reads.
fn hold(
    tx: &mut dyn Tx,
    caller: &str,
    incarnation: Incarnation,
    (at_once, wait): (&str, &str),
) -> Result<Held> {
    let versions = tx.row(at_once, args![caller, incarnation.as_bytes()])?;
    if versions.is_some() {
        return Ok(Held::at_once(versions));
    }
    tx.row::<i64>(wait, args![incarnation.as_bytes()])?;
    Ok(Held {
        versions: of_repository(tx, caller, incarnation)?,
        has_waited: true,
    })
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
pub(crate) fn hold_account_alone(tx: &mut dyn Tx, caller: &str, owner: AccountId) -> Result<Held> {
    let at_once = "SELECT (SELECT version FROM account WHERE id = ?1), version, 0 FROM account WHERE id = ?2 \
                   /*for no key update skip locked*/";
    let versions = tx.row(at_once, args![caller, owner.as_str()])?;
    if versions.is_some() {
        return Ok(Held::at_once(versions));
    }
    let wait = "SELECT 1 FROM account WHERE id = ?1 /*for no key update*/";
    tx.row::<i64>(wait, args![owner.as_str()])?;
    Ok(Held {
        versions: of_account(tx, caller, owner)?,
        has_waited: true,
    })
}

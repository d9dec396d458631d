//! Access keys as IAM's operations see them; whom a key signs for is looked up in `principal`.

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{account::AccountId, time::Timestamp};

use super::args;

/// An access key, without its secret.
#[derive(Clone, Debug)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    pub(crate) is_active: bool,
    pub(crate) created_at: Timestamp,
}

impl Row for AccessKey {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            id: columns.text(0)?.to_owned(),
            is_active: columns.int(1)? != 0,
            created_at: Timestamp::from_millis(columns.int(2)?),
        })
    }
}

/// Whose a key is, and when, where and for what it was used last.
#[derive(Clone, Debug)]
pub(crate) struct LastUse {
    /// The user's name; empty for an account's root.
    pub(crate) user: String,
    pub(crate) used: Option<Use>,
}

/// A use of a key.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub(crate) at: Timestamp,
    pub(crate) region: String,
    pub(crate) service: String,
}

impl Row for LastUse {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let text = |idx| {
            let text = columns.opt_text(idx)?;
            text.map(str::to_owned)
                .ok_or_else(|| Error::corrupt("access_key.last_used"))
        };
        let used = match columns.opt_int(1)? {
            Some(millis) => Some(Use {
                at: Timestamp::from_millis(millis),
                region: text(2)?,
                service: text(3)?,
            }),
            None => None,
        };
        Ok(Self {
            user: columns.text(0)?.to_owned(),
            used,
        })
    }
}

/// Returns up to `limit` keys of a principal in order of their ids, after the id `after`.
pub(crate) fn page(
    tx: &mut dyn Tx,
    principal: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<AccessKey>> {
    tx.rows(
        "SELECT id, active, created_at FROM access_key WHERE principal = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        args![principal, after, limit],
    )
}

/// Returns how many keys a principal has.
pub(crate) fn count(tx: &mut dyn Tx, principal: &str) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM access_key WHERE principal = ?1";
    tx.count(sql, args![principal])
}

/// Activates a principal's key, or stops it; returns whether there is one.
pub(crate) fn set_active(
    tx: &mut dyn Tx,
    principal: &str,
    id: &str,
    is_active: bool,
) -> Result<bool> {
    let sql = "UPDATE access_key SET active = ?3 WHERE id = ?1 AND principal = ?2";
    Ok(tx.execute(sql, args![id, principal, is_active])? == 1)
}

/// Removes a principal's key; returns whether there was one.
pub(crate) fn delete(tx: &mut dyn Tx, principal: &str, id: &str) -> Result<bool> {
    let sql = "DELETE FROM access_key WHERE id = ?1 AND principal = ?2";
    Ok(tx.execute(sql, args![id, principal])? == 1)
}

/// Returns the id and ARN of whose a key is, if it is a key of the account.
pub(crate) fn owner(
    tx: &mut dyn Tx,
    account: AccountId,
    id: &str,
) -> Result<Option<(String, String)>> {
    tx.row(
        "SELECT p.id, p.arn FROM access_key k JOIN principal p ON p.id = k.principal WHERE k.id = ?1 AND p.account = ?2",
        args![id, account.as_str()],
    )
}

/// Returns whose a key is and its last use, if it is a key of the account.
pub(crate) fn last_use(tx: &mut dyn Tx, account: AccountId, id: &str) -> Result<Option<LastUse>> {
    tx.row(
        "SELECT p.name, k.last_used_at, k.last_used_region, k.last_used_service FROM access_key k \
         JOIN principal p ON p.id = k.principal WHERE k.id = ?1 AND p.account = ?2",
        args![id, account.as_str()],
    )
}

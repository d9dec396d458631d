//! What Organizations knows: the accounts with their names, and the requests that made them.

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{account::AccountId, time::Timestamp};

use super::args;

/// An account.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) created_at: Timestamp,
}

impl Row for Account {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let id = columns.text(0)?.parse();
        Ok(Self {
            id: id.map_err(|_| Error::corrupt("account.id"))?,
            name: columns.text(1)?.to_owned(),
            email: columns.text(2)?.to_owned(),
            created_at: Timestamp::from_millis(columns.int(3)?),
        })
    }
}

/// What came of a request for an account.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The account, if one was made.
    pub(crate) account: Option<AccountId>,
    /// Organizations' word for the reason why none was, else empty.
    pub(crate) failure: String,
    pub(crate) created_at: Timestamp,
}

impl Row for Request {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let account = columns.opt_text(2)?.map(str::parse).transpose();
        Ok(Self {
            id: columns.text(0)?.to_owned(),
            name: columns.text(1)?.to_owned(),
            account: account.map_err(|_| Error::corrupt("account_request.account"))?,
            failure: columns.text(3)?.to_owned(),
            created_at: Timestamp::from_millis(columns.int(4)?),
        })
    }
}

/// Returns the account of that id.
pub(crate) fn account(tx: &mut dyn Tx, id: AccountId) -> Result<Option<Account>> {
    let sql = "SELECT id, name, email, created_at FROM account WHERE id = ?1";
    tx.row(sql, args![id.as_str()])
}

/// Returns up to `limit` accounts in order of id, after `after`.
pub(crate) fn accounts(tx: &mut dyn Tx, after: &str, limit: i64) -> Result<Vec<Account>> {
    let sql = "SELECT id, name, email, created_at FROM account WHERE id > ?1 ORDER BY id LIMIT ?2";
    tx.rows(sql, args![after, limit])
}

/// Returns whether an account has that address.
pub(crate) fn has_email(tx: &mut dyn Tx, email: &str) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM account WHERE email = ?1 AND email <> ''";
    Ok(tx.count(sql, args![email])? > 0)
}

/// Makes an account, unless there is one of that id; returns whether it did. Its principals come apart.
pub(crate) fn insert_account(tx: &mut dyn Tx, account: &Account) -> Result<bool> {
    let made = tx.execute(
        "INSERT INTO account (id, version, created_at, name, email) VALUES (?1, 1, ?2, ?3, ?4) ON CONFLICT (id) DO NOTHING",
        args![
            account.id.as_str(),
            account.created_at,
            &account.name,
            &account.email
        ],
    )?;
    Ok(made == 1)
}

/// Returns whether there are `most` accounts or more.
pub(crate) fn has_accounts(tx: &mut dyn Tx, most: i64) -> Result<bool> {
    let sql = "SELECT id FROM account ORDER BY id LIMIT 1 OFFSET ?1";
    let last: Option<String> = tx.row(sql, args![most - 1])?;
    Ok(last.is_some())
}

/// Forgets all but the newest `kept` requests that failed.
pub(crate) fn forget_failures(tx: &mut dyn Tx, kept: i64) -> Result<()> {
    tx.execute(
        "DELETE FROM account_request WHERE failure <> '' AND id <= \
         (SELECT id FROM account_request WHERE failure <> '' ORDER BY id DESC LIMIT 1 OFFSET ?1)",
        args![kept],
    )
    .map(drop)
}

/// Notes what came of a request.
pub(crate) fn insert_request(tx: &mut dyn Tx, request: &Request) -> Result<()> {
    let account = request.account.as_ref().map(AccountId::as_str);
    tx.execute(
        "INSERT INTO account_request (id, name, account, failure, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        args![
            &request.id,
            &request.name,
            account,
            &request.failure,
            request.created_at
        ],
    )
    .map(drop)
}

/// Returns the request of that id.
pub(crate) fn request(tx: &mut dyn Tx, id: &str) -> Result<Option<Request>> {
    let sql = "SELECT id, name, account, failure, created_at FROM account_request WHERE id = ?1";
    tx.row(sql, args![id])
}

/// Returns up to `limit` requests in order of id, after `after`: those that made an account, those that failed, or both.
pub(crate) fn requests(
    tx: &mut dyn Tx,
    (succeeded, failed): (bool, bool),
    after: &str,
    limit: i64,
) -> Result<Vec<Request>> {
    tx.rows(
        "SELECT id, name, account, failure, created_at FROM account_request WHERE id > ?1 \
         AND ((?2 = 1 AND failure = '') OR (?3 = 1 AND failure <> '')) ORDER BY id LIMIT ?4",
        args![after, i64::from(succeeded), i64::from(failed), limit],
    )
}

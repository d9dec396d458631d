//! Accounts, principals and their access keys.

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{account::AccountId, arn::PrincipalArn};

use super::args;
use crate::principal::{Credential, Known};

/// A principal beside its account's version.
#[derive(Debug)]
pub(crate) struct PrincipalRow {
    id: String,
    arn: PrincipalArn,
    account: AccountId,
    account_version: i64,
}

impl PrincipalRow {
    pub(crate) fn known(self, credential: Credential) -> Known {
        Known {
            id: self.id,
            kind: self.arn.kind(),
            arn: self.arn,
            account: self.account,
            account_version: self.account_version,
            tags: Vec::new(),
            credential,
        }
    }
}

impl Row for PrincipalRow {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            id: columns.text(0)?.to_owned(),
            arn: columns
                .text(1)?
                .parse()
                .map_err(|_| Error::corrupt("principal.arn"))?,
            account: columns
                .text(2)?
                .parse()
                .map_err(|_| Error::corrupt("principal.account"))?,
            account_version: columns.int(3)?,
        })
    }
}

/// An active access key and whom it signs for.
#[derive(Debug)]
pub(crate) struct AccessKeyRow {
    pub(crate) principal: PrincipalRow,
    pub(crate) secret: Vec<u8>,
}

impl Row for AccessKeyRow {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            principal: PrincipalRow::read(columns)?,
            secret: columns.blob(4)?.to_vec(),
        })
    }
}

/// Returns the active access key `id`, which is any text that a client signs with.
pub(crate) fn active_key(tx: &mut dyn Tx, id: &str) -> Result<Option<AccessKeyRow>> {
    if id.contains('\0') {
        return Ok(None);
    }
    tx.row(
        "SELECT p.id, p.arn, p.account, a.version, k.secret FROM access_key k \
         JOIN principal p ON p.id = k.principal JOIN account a ON a.id = p.account WHERE k.id = ?1 AND k.active = 1",
        args![id],
    )
}

/// Returns the principal `id`.
pub(crate) fn by_id(tx: &mut dyn Tx, id: &str) -> Result<Option<PrincipalRow>> {
    tx.row(
        "SELECT p.id, p.arn, p.account, a.version FROM principal p JOIN account a ON a.id = p.account WHERE p.id = ?1",
        args![id],
    )
}

/// Makes an account, unless there is one; returns whether it did.
pub(crate) fn insert_account(tx: &mut dyn Tx, account: AccountId) -> Result<bool> {
    let now = tx.now();
    let sql =
        "INSERT INTO account (id, version, created_at) VALUES (?1, 1, ?2) ON CONFLICT DO NOTHING";
    Ok(tx.execute(sql, args![&account.to_string(), now])? == 1)
}

/// Makes a principal.
pub(crate) fn insert(
    tx: &mut dyn Tx,
    id: &str,
    account: AccountId,
    arn: &PrincipalArn,
) -> Result<()> {
    let now = tx.now();
    let sql = "INSERT INTO principal (id, account, arn, created_at) VALUES (?1, ?2, ?3, ?4)";
    tx.execute(sql, args![id, &account.to_string(), &arn.to_string(), now])
        .map(drop)
}

/// Makes an active access key. `secret` is sealed.
pub(crate) fn insert_key(tx: &mut dyn Tx, id: &str, principal: &str, secret: &[u8]) -> Result<()> {
    let now = tx.now();
    let sql = "INSERT INTO access_key (id, principal, secret, active, created_at) VALUES (?1, ?2, ?3, 1, ?4)";
    tx.execute(sql, args![id, principal, secret, now]).map(drop)
}

/// Returns the account that was made first, if there is any.
pub(crate) fn oldest_account(tx: &mut dyn Tx) -> Result<Option<String>> {
    tx.row(
        "SELECT id FROM account ORDER BY created_at, id LIMIT 1",
        args![],
    )
}

/// Returns whether the store has any account.
pub(crate) fn any_account(tx: &mut dyn Tx) -> Result<bool> {
    Ok(tx.count(
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM account) THEN 1 ELSE 0 END",
        args![],
    )? == 1)
}

//! Accounts.

use longshore_store::meta::{Columns, Error, Result, Row, Tx, Value};
use longshore_types::account::AccountId;

use super::{ROWS_PER_STATEMENT, args, placeholders};

/// Voids every decision that was made for principals of `account` or by its policies. Part of every transaction that
/// changes what an account's principals are or may do, or its registry policies and settings.
pub(crate) fn bump(tx: &mut dyn Tx, account: AccountId) -> Result<()> {
    tx.execute(
        "UPDATE account SET version = version + 1 WHERE id = ?1",
        args![account.as_str()],
    )
    .map(drop)
}

/// What an account has.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) users: i64,
    pub(crate) roles: i64,
    pub(crate) groups: i64,
    pub(crate) policies: i64,
    pub(crate) providers: i64,
    pub(crate) has_root_access_key: bool,
}

impl Row for Counts {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            users: columns.int(0)?,
            roles: columns.int(1)?,
            groups: columns.int(2)?,
            policies: columns.int(3)?,
            providers: columns.int(4)?,
            has_root_access_key: columns.int(5)? != 0,
        })
    }
}

/// Counts what `account` has.
pub(crate) fn counts(tx: &mut dyn Tx, account: AccountId) -> Result<Counts> {
    let counts = tx.row(
        "SELECT (SELECT COUNT(*) FROM principal WHERE account = ?1 AND kind = 'user'), \
         (SELECT COUNT(*) FROM principal WHERE account = ?1 AND kind = 'role'), \
         (SELECT COUNT(*) FROM user_group WHERE account = ?1), \
         (SELECT COUNT(*) FROM managed_policy WHERE account = ?1), \
         (SELECT COUNT(*) FROM oidc_provider WHERE account = ?1), \
         CASE WHEN EXISTS (SELECT 1 FROM access_key WHERE principal = ?1) THEN 1 ELSE 0 END",
        args![account.as_str()],
    )?;
    counts.ok_or_else(|| Error::corrupt("an aggregate without a row"))
}

/// Returns how many of these accounts, each named once, there are.
pub(crate) fn existing(tx: &mut dyn Tx, accounts: &[AccountId]) -> Result<usize> {
    let mut count = 0;
    for chunk in accounts.chunks(ROWS_PER_STATEMENT) {
        let sql = format!(
            "SELECT id FROM account WHERE id IN ({})",
            placeholders(0, chunk.len())
        );
        let args: Vec<Value<'_>> = chunk.iter().map(|id| Value::from(id.as_str())).collect();
        count += tx.rows::<String>(&sql, &args)?.len();
    }
    Ok(count)
}

/// Returns the alias of an account, if it has one.
pub(crate) fn alias(tx: &mut dyn Tx, account: AccountId) -> Result<Option<String>> {
    let sql = "SELECT alias FROM account WHERE id = ?1 AND alias IS NOT NULL";
    tx.row(sql, args![account.as_str()])
}

/// Returns the account that has the alias, if one has.
pub(crate) fn aliased(tx: &mut dyn Tx, alias: &str) -> Result<Option<String>> {
    tx.row("SELECT id FROM account WHERE alias = ?1", args![alias])
}

/// Gives an account an alias that no other has, or takes it away.
pub(crate) fn set_alias(tx: &mut dyn Tx, account: AccountId, alias: Option<&str>) -> Result<()> {
    let sql = "UPDATE account SET alias = ?2 WHERE id = ?1";
    tx.execute(sql, args![account.as_str(), alias]).map(drop)
}

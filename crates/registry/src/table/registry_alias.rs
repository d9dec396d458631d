//! Aliases of public registries.

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{account::AccountId, alias::RegistryAlias};

use super::args;

/// An alias of a registry.
#[derive(Clone, Debug)]
pub(crate) struct Alias {
    pub(crate) name: RegistryAlias,
    /// Whether the registry was given it with its first repository.
    pub(crate) is_default: bool,
    /// Whether it is the one that URIs are printed with.
    pub(crate) is_primary: bool,
}

impl Row for Alias {
    fn read(columns: &dyn Columns) -> Result<Self> {
        let name = columns.text(0)?.parse();
        Ok(Self {
            name: name.map_err(|_| Error::corrupt("registry_alias.name"))?,
            is_default: columns.int(1)? != 0,
            is_primary: columns.int(2)? != 0,
        })
    }
}

/// Returns the account whose registry has the alias.
pub(crate) fn account(tx: &mut dyn Tx, name: &RegistryAlias) -> Result<Option<AccountId>> {
    let sql = "SELECT account FROM registry_alias WHERE name = ?1";
    let found: Option<String> = tx.row(sql, args![name.as_str()])?;
    found
        .map(|account| account.parse())
        .transpose()
        .map_err(|_| Error::corrupt("registry_alias.account"))
}

/// Returns up to `limit` aliases of a registry in order of name.
pub(crate) fn all(tx: &mut dyn Tx, account: AccountId, limit: i64) -> Result<Vec<Alias>> {
    tx.rows(
        "SELECT name, is_default, is_primary FROM registry_alias WHERE account = ?1 ORDER BY name LIMIT ?2",
        args![account.as_str(), limit],
    )
}

/// Returns the alias that the URIs of a registry are printed with; one without a repository may have none.
pub(crate) fn primary(tx: &mut dyn Tx, account: AccountId) -> Result<Option<Alias>> {
    tx.row(
        "SELECT name, is_default, is_primary FROM registry_alias WHERE account = ?1 AND is_primary = 1",
        args![account.as_str()],
    )
}

/// Whether a registry has its default alias.
pub(crate) fn has_default(tx: &mut dyn Tx, account: AccountId) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM registry_alias WHERE account = ?1 AND is_default = 1";
    Ok(tx.count(sql, args![account.as_str()])? > 0)
}

/// Gives a registry an alias, unless some registry has it or this one has its like; returns whether it did.
pub(crate) fn insert(tx: &mut dyn Tx, account: AccountId, alias: &Alias) -> Result<bool> {
    let now = tx.now();
    let made = tx.execute(
        "INSERT INTO registry_alias (name, account, is_default, is_primary, created_at) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT DO NOTHING",
        args![
            alias.name.as_str(),
            account.as_str(),
            alias.is_default,
            alias.is_primary,
            now
        ],
    )?;
    Ok(made == 1)
}

/// Leaves a registry without a primary alias, so that another one becomes it.
pub(crate) fn demote(tx: &mut dyn Tx, account: AccountId) -> Result<()> {
    let sql = "UPDATE registry_alias SET is_primary = 0 WHERE account = ?1 AND is_primary = 1";
    tx.execute(sql, args![account.as_str()]).map(drop)
}

/// Makes an alias that a registry has its primary one.
pub(crate) fn promote(tx: &mut dyn Tx, account: AccountId, name: &RegistryAlias) -> Result<()> {
    let sql = "UPDATE registry_alias SET is_primary = 1 WHERE account = ?1 AND name = ?2";
    tx.execute(sql, args![account.as_str(), name.as_str()])
        .map(drop)
}

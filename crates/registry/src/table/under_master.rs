//! The rows that are sealed under the master key: access keys' secrets, domain keys, and the keys of tokens.

use longshore_store::meta::{Result, Tx};

use super::args;
use crate::keys::{domain_key_aad, secret_aad};

/// A table of such rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Secrets,
    Domains,
    Tokens,
}

/// A row's key; the empty one comes before all others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Name {
    text: String,
    bytes: Vec<u8>,
    version: i64,
}

/// What a row has sealed, and what that is bound to.
#[derive(Clone, Debug)]
pub(crate) struct UnderMaster {
    pub(crate) name: Name,
    pub(crate) aad: Vec<u8>,
    pub(crate) sealed: Vec<u8>,
}

impl Kind {
    /// All of them, in the order in which they are gone through.
    pub(crate) const ALL: [Self; 3] = [Self::Secrets, Self::Domains, Self::Tokens];

    /// How many rows there are.
    pub(crate) fn count(self, tx: &mut dyn Tx) -> Result<i64> {
        let sql = match self {
            Self::Secrets => "SELECT COUNT(*) FROM access_key",
            Self::Domains => "SELECT COUNT(*) FROM domain_key",
            Self::Tokens => "SELECT COUNT(*) FROM sealing_key",
        };
        tx.count(sql, args![])
    }

    /// Returns the next rows after one, in the order of their keys.
    pub(crate) fn after(
        self,
        tx: &mut dyn Tx,
        name: &Name,
        limit: i64,
    ) -> Result<Vec<UnderMaster>> {
        match self {
            Self::Secrets => access_keys(tx, name, limit),
            Self::Domains => domain_keys(tx, name, limit),
            Self::Tokens => sealing_keys(tx, name, limit),
        }
    }

    /// Puts `sealed` in the place of what `row` has, if it still has that.
    pub(crate) fn reseal(self, tx: &mut dyn Tx, row: &UnderMaster, sealed: &[u8]) -> Result<()> {
        let (name, old) = (&row.name, &row.sealed);
        match self {
            Self::Secrets => tx.execute(
                "UPDATE access_key SET secret = ?2 WHERE id = ?1 AND secret = ?3",
                args![name.text.as_str(), sealed, old],
            ),
            Self::Domains => tx.execute(
                "UPDATE domain_key SET wrapped = ?3 WHERE domain = ?1 AND version = ?2 AND wrapped = ?4",
                args![&name.bytes, name.version, sealed, old],
            ),
            Self::Tokens => tx.execute(
                "UPDATE sealing_key SET sealed = ?3 WHERE purpose = ?1 AND version = ?2 AND sealed = ?4",
                args![name.text.as_str(), name.version, sealed, old],
            ),
        }
        .map(drop)
    }
}

fn access_keys(tx: &mut dyn Tx, after: &Name, limit: i64) -> Result<Vec<UnderMaster>> {
    let sql = "SELECT id, secret FROM access_key WHERE id > ?1 ORDER BY id LIMIT ?2";
    let rows: Vec<(String, Vec<u8>)> = tx.rows(sql, args![after.text.as_str(), limit])?;
    let row = |(id, sealed): (String, Vec<u8>)| UnderMaster {
        aad: secret_aad(&id),
        name: Name {
            text: id,
            ..Name::default()
        },
        sealed,
    };
    Ok(rows.into_iter().map(row).collect())
}

fn domain_keys(tx: &mut dyn Tx, after: &Name, limit: i64) -> Result<Vec<UnderMaster>> {
    let rows: Vec<(Vec<u8>, i64, Vec<u8>)> = tx.rows(
        "SELECT domain, version, wrapped FROM domain_key WHERE (domain, version) > (?1, ?2) ORDER BY domain, version LIMIT ?3",
        args![&after.bytes, after.version, limit],
    )?;
    let row = |(bytes, version, sealed): (Vec<u8>, i64, Vec<u8>)| UnderMaster {
        aad: domain_key_aad(&bytes, version),
        name: Name {
            bytes,
            version,
            ..Name::default()
        },
        sealed,
    };
    Ok(rows.into_iter().map(row).collect())
}

fn sealing_keys(tx: &mut dyn Tx, after: &Name, limit: i64) -> Result<Vec<UnderMaster>> {
    let rows: Vec<(String, i64, Vec<u8>)> = tx.rows(
        "SELECT purpose, version, sealed FROM sealing_key WHERE (purpose, version) > (?1, ?2) ORDER BY purpose, version LIMIT ?3",
        args![after.text.as_str(), after.version, limit],
    )?;
    let row = |(text, version, sealed): (String, i64, Vec<u8>)| UnderMaster {
        aad: crate::token::key_aad(version),
        name: Name {
            text,
            version,
            ..Name::default()
        },
        sealed,
    };
    Ok(rows.into_iter().map(row).collect())
}

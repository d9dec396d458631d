//! Encryption domains and their wrapped keys.

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{account::Registry, id::DomainId, time::Timestamp};

use super::args;
use crate::{error, keys::Sealed};

/// One version of a domain's key-encryption key, wrapped.
#[derive(Debug)]
pub(crate) struct DomainKeyRow {
    pub(crate) version: i64,
    pub(crate) wrapped: Vec<u8>,
    pub(crate) created_at: Timestamp,
}

/// The newest key of a domain.
#[derive(Debug)]
pub(crate) struct NewestKey {
    pub(crate) domain: DomainId,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
}

impl Row for DomainKeyRow {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            version: columns.int(0)?,
            wrapped: columns.blob(1)?.to_vec(),
            created_at: Timestamp::from_millis(columns.int(2)?),
        })
    }
}

/// Returns the registry that a domain is of.
pub(crate) fn registry(tx: &mut dyn Tx, id: DomainId) -> Result<Registry> {
    let sql = "SELECT kind, account, region FROM domain WHERE id = ?1";
    let row: Option<(String, String, String)> = tx.row(sql, args![id.as_bytes()])?;
    let parsed = row.and_then(|(kind, account, region)| {
        Registry::new(
            kind.parse().ok()?,
            account.parse().ok()?,
            region.parse().ok()?,
        )
        .ok()
    });
    parsed.ok_or_else(|| Error::corrupt("a domain's registry"))
}

/// Returns the keys of a domain.
pub(crate) fn keys(tx: &mut dyn Tx, id: DomainId) -> Result<Vec<DomainKeyRow>> {
    tx.rows(
        "SELECT version, wrapped, created_at FROM domain_key WHERE domain = ?1 ORDER BY version",
        args![id.as_bytes()],
    )
}

/// Returns the domain of `registry` for AES256, if it has one.
pub(crate) fn find(tx: &mut dyn Tx, registry: &Registry) -> Result<Option<DomainId>> {
    let sql =
        "SELECT id FROM domain WHERE kind = ?1 AND account = ?2 AND region = ?3 AND kms_key = ''";
    let (account, region) = (registry.account(), registry.region());
    let kind = registry.kind().as_str();
    tx.row(sql, args![kind, account.as_str(), region.as_str()])
}

/// Returns the domain of `registry` for AES256, making it with `fresh` and its wrapped first key if there is none.
pub(crate) fn ensure(
    tx: &mut dyn Tx,
    registry: &Registry,
    fresh: DomainId,
    wrapped: &Sealed,
) -> error::Result<DomainId> {
    let now = tx.now();
    let (kind, account, region) = (
        registry.kind().as_str(),
        registry.account(),
        registry.region(),
    );
    let made = tx.execute(
        "INSERT INTO domain (id, kind, account, region, kms_key, created_at) VALUES (?1, ?2, ?3, ?4, '', ?5) \
         ON CONFLICT (kind, account, region, kms_key) DO NOTHING",
        args![fresh.as_bytes(), kind, account.as_str(), region.as_str(), now],
    )?;
    if made == 1 {
        let sql =
            "INSERT INTO domain_key (domain, version, wrapped, created_at) VALUES (?1, 1, ?2, ?3)";
        let wrapped = wrapped.prove(tx)?;
        tx.execute(sql, args![fresh.as_bytes(), wrapped, now])?;
        return Ok(fresh);
    }
    let found = find(tx, registry)?;
    Ok(found.ok_or_else(|| Error::corrupt("a domain conflicts but is not there"))?)
}

/// Makes a domain of `registry` for AES256 that is known by its id, unless that or the registry has one; returns whether it did.
pub(crate) fn insert(tx: &mut dyn Tx, registry: &Registry, id: DomainId) -> Result<bool> {
    let now = tx.now();
    let (account, region) = (registry.account(), registry.region());
    let made = tx.execute(
        "INSERT INTO domain (id, kind, account, region, kms_key, created_at) VALUES (?1, ?2, ?3, ?4, '', ?5) ON CONFLICT DO NOTHING",
        args![id.as_bytes(), registry.kind().as_str(), account.as_str(), region.as_str(), now],
    )?;
    Ok(made == 1)
}

/// Adds a version of a domain's key, unless it has one.
pub(crate) fn add_key(tx: &mut dyn Tx, id: DomainId, version: i64, wrapped: &[u8]) -> Result<()> {
    let now = tx.now();
    tx.execute(
        "INSERT INTO domain_key (domain, version, wrapped, created_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        args![id.as_bytes(), version, wrapped, now],
    )
    .map(drop)
}

/// Removes a version of a domain's key, which nothing needs.
pub(crate) fn remove_key(tx: &mut dyn Tx, id: DomainId, version: u32) -> Result<()> {
    let sql = "DELETE FROM domain_key WHERE domain = ?1 AND version = ?2";
    tx.execute(sql, args![id.as_bytes(), i64::from(version)])
        .map(drop)
}

/// Returns the newest keys of up to `limit` domains after one, in order.
pub(crate) fn newest_keys(tx: &mut dyn Tx, after: &[u8], limit: i64) -> Result<Vec<NewestKey>> {
    tx.rows(
        "SELECT k.domain, k.version, k.created_at FROM domain_key k WHERE k.domain > ?1 \
         AND k.version = (SELECT MAX(x.version) FROM domain_key x WHERE x.domain = k.domain) ORDER BY k.domain LIMIT ?2",
        args![after, limit],
    )
}

/// Returns when the last key of any domain was made.
pub(crate) fn last_made(tx: &mut dyn Tx) -> Result<Timestamp> {
    let last: Option<Option<i64>> = tx.row(
        "SELECT MAX(created_at) FROM domain_key WHERE version > 1",
        args![],
    )?;
    Ok(Timestamp::from_millis(last.flatten().unwrap_or_default()))
}

/// Returns how many further keys of domains were made since then.
pub(crate) fn made_since(tx: &mut dyn Tx, since: Timestamp) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM domain_key WHERE version > 1 AND created_at >= ?1";
    tx.count(sql, args![since])
}

impl Row for NewestKey {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            domain: DomainId::from_slice(columns.blob(0)?)
                .map_err(|_| Error::corrupt("domain_key.domain"))?,
            version: columns.int(1)?,
            created_at: Timestamp::from_millis(columns.int(2)?),
        })
    }
}

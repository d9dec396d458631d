//! Encryption domains and their wrapped keys.

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{account::Registry, id::DomainId};

use super::args;
use crate::{error, keys::Sealed};

/// One version of a domain's key-encryption key, wrapped.
#[derive(Debug)]
pub(crate) struct DomainKeyRow {
    pub(crate) version: i64,
    pub(crate) wrapped: Vec<u8>,
}

impl Row for DomainKeyRow {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            version: columns.int(0)?,
            wrapped: columns.blob(1)?.to_vec(),
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
        "SELECT version, wrapped FROM domain_key WHERE domain = ?1",
        args![id.as_bytes()],
    )
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
    let sql =
        "SELECT id FROM domain WHERE kind = ?1 AND account = ?2 AND region = ?3 AND kms_key = ''";
    let found = tx.row(sql, args![kind, account.as_str(), region.as_str()])?;
    Ok(found.ok_or_else(|| Error::corrupt("a domain conflicts but is not there"))?)
}

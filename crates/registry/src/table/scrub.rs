//! All blobs and images of a store in the order of their keys, for whoever reads everything again.

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{
    account::Registry,
    digest::Digest,
    id::{ContentId, DomainId, Incarnation},
};

use super::args;

/// A blob to be read again.
#[derive(Clone, Debug)]
pub(crate) struct ScrubBlob {
    pub(crate) domain: DomainId,
    pub(crate) digest: Digest,
    pub(crate) content: ContentId,
    pub(crate) size: u64,
    pub(crate) damaged: bool,
    pub(crate) registry: Registry,
}

/// A manifest to be opened again.
#[derive(Clone, Debug)]
pub(crate) struct ScrubImage {
    pub(crate) incarnation: Incarnation,
    pub(crate) digest: Digest,
    pub(crate) repository: String,
    pub(crate) domain: DomainId,
    pub(crate) registry: Registry,
    pub(crate) manifest: Vec<u8>,
}

fn digest(columns: &dyn Columns, idx: usize) -> Result<Digest> {
    Digest::from_key(columns.blob(idx)?).map_err(|_| Error::corrupt("digest"))
}

fn domain(columns: &dyn Columns, idx: usize) -> Result<DomainId> {
    DomainId::from_slice(columns.blob(idx)?).map_err(|_| Error::corrupt("domain.id"))
}

/// Reads kind, account and Region.
fn registry(columns: &dyn Columns, first: usize) -> Result<Registry> {
    let corrupt = || Error::corrupt("domain of no registry");
    let kind = columns.text(first)?.parse().map_err(|_| corrupt())?;
    let account = columns.text(first + 1)?.parse().map_err(|_| corrupt())?;
    let region = columns.text(first + 2)?.parse().map_err(|_| corrupt())?;
    Registry::new(kind, account, region).map_err(|_| corrupt())
}

impl Row for ScrubBlob {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            domain: domain(columns, 0)?,
            digest: digest(columns, 1)?,
            content: ContentId::from_slice(columns.blob(2)?)
                .map_err(|_| Error::corrupt("blob.content"))?,
            size: columns.int(3)?.cast_unsigned(),
            damaged: columns.int(4)? != 0,
            registry: registry(columns, 5)?,
        })
    }
}

impl Row for ScrubImage {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            incarnation: Incarnation::from_slice(columns.blob(0)?)
                .map_err(|_| Error::corrupt("image.incarnation"))?,
            digest: digest(columns, 1)?,
            repository: columns.text(2)?.to_owned(),
            domain: domain(columns, 3)?,
            registry: registry(columns, 4)?,
            manifest: columns.blob(7)?.to_vec(),
        })
    }
}

/// Returns up to `limit` blobs after a domain and digest; both empty at the start.
pub(crate) fn blobs(tx: &mut dyn Tx, after: (&[u8], &[u8]), limit: i64) -> Result<Vec<ScrubBlob>> {
    tx.rows(
        "SELECT b.domain, b.digest, b.content, b.size, b.damaged, d.kind, d.account, d.region \
         FROM blob b JOIN domain d ON d.id = b.domain WHERE (b.domain, b.digest) > (?1, ?2) \
         ORDER BY b.domain, b.digest LIMIT ?3",
        args![after.0, after.1, limit],
    )
}

/// Which images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Images {
    Live,
    /// Those that are expired and can be brought back.
    Expired,
}

impl Images {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Live, Self::Expired];

    const fn table(self) -> &'static str {
        match self {
            Self::Live => "image",
            Self::Expired => "expired_image",
        }
    }
}

/// Returns up to `limit` images of live repositories after an incarnation and digest; both empty at the start.
pub(crate) fn images(
    tx: &mut dyn Tx,
    of: Images,
    after: (&[u8], &[u8]),
    limit: i64,
) -> Result<Vec<ScrubImage>> {
    let table = of.table();
    let sql = format!(
        "SELECT i.incarnation, i.digest, r.name, d.id, d.kind, d.account, d.region, i.manifest \
         FROM {table} i JOIN repository r ON r.incarnation = i.incarnation JOIN domain d ON d.id = r.domain \
         WHERE (i.incarnation, i.digest) > (?1, ?2) AND r.died_at IS NULL ORDER BY i.incarnation, i.digest LIMIT ?3"
    );
    tx.rows(&sql, args![after.0, after.1, limit])
}

/// Returns up to `limit` blobs of a digest in any domain after one, but for the one of that content and those that are
/// damaged.
pub(crate) fn copies(
    tx: &mut dyn Tx,
    (digest, except): (&Digest, &[u8]),
    after: &[u8],
    limit: i64,
) -> Result<Vec<ScrubBlob>> {
    tx.rows(
        "SELECT b.domain, b.digest, b.content, b.size, b.damaged, d.kind, d.account, d.region \
         FROM domain d JOIN blob b ON b.domain = d.id AND b.digest = ?1 \
         WHERE d.id > ?3 AND b.content <> ?2 AND b.damaged = 0 ORDER BY d.id LIMIT ?4",
        args![&digest.to_key(), except, after, limit],
    )
}

/// Returns up to `limit` images of a digest in any repository after an incarnation.
pub(crate) fn same_images(
    tx: &mut dyn Tx,
    of: Images,
    digest: &Digest,
    after: &[u8],
    limit: i64,
) -> Result<Vec<ScrubImage>> {
    let table = of.table();
    let sql = format!(
        "SELECT i.incarnation, i.digest, r.name, d.id, d.kind, d.account, d.region, i.manifest \
         FROM repository r JOIN {table} i ON i.incarnation = r.incarnation AND i.digest = ?1 JOIN domain d ON d.id = r.domain \
         WHERE r.incarnation > ?2 ORDER BY r.incarnation LIMIT ?3"
    );
    tx.rows(&sql, args![&digest.to_key(), after, limit])
}

/// Puts a manifest that was sealed anew in the place of one that does not open; returns whether that was still there.
pub(crate) fn renew_manifest(
    tx: &mut dyn Tx,
    of: Images,
    image: &ScrubImage,
    sealed: &[u8],
) -> Result<bool> {
    let table = of.table();
    let sql = format!(
        "UPDATE {table} SET manifest = ?4 WHERE incarnation = ?1 AND digest = ?2 AND manifest = ?3"
    );
    let renewed = tx.execute(
        &sql,
        args![
            image.incarnation.as_bytes(),
            &image.digest.to_key(),
            &image.manifest,
            sealed
        ],
    )?;
    Ok(renewed == 1)
}

/// Returns how many blobs there are, or how many are marked damaged, and their bytes.
pub(crate) fn total(tx: &mut dyn Tx, marked: bool) -> Result<(i64, i64)> {
    let sql =
        "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM blob WHERE damaged >= ?1";
    Ok(tx.row(sql, args![marked])?.unwrap_or_default())
}

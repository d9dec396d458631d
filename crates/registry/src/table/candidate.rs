//! What the collector is to look at, and when.

use longshore_store::meta::{Columns, Error, Result, Row, Tx};
use longshore_types::{digest::Digest, time::Timestamp};

use super::args;

/// What kind of row a candidate names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A link; the scope is its repository's incarnation.
    Link,
    /// A blob; the scope is its encryption domain.
    Blob,
}

impl Kind {
    fn code(self) -> i64 {
        match self {
            Self::Link => 1,
            Self::Blob => 2,
        }
    }
}

/// One due look.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) due: Timestamp,
    pub(crate) kind: Kind,
    pub(crate) scope: Vec<u8>,
    pub(crate) digest: Digest,
}

impl Row for Candidate {
    fn read(columns: &dyn Columns) -> Result<Self> {
        Ok(Self {
            due: Timestamp::from_millis(columns.int(0)?),
            kind: match columns.int(1)? {
                1 => Kind::Link,
                2 => Kind::Blob,
                _ => return Err(Error::corrupt("candidate.kind")),
            },
            scope: columns.blob(2)?.to_vec(),
            digest: Digest::from_key(columns.blob(3)?)
                .map_err(|_| Error::corrupt("candidate.digest"))?,
        })
    }
}

/// Adds a look at `due`. One that is there is written anew: whoever is deciding it right now must not overlook why.
pub(crate) fn insert(
    tx: &mut dyn Tx,
    due: Timestamp,
    kind: Kind,
    scope: &[u8],
    digest: &Digest,
) -> Result<()> {
    tx.execute(
        "INSERT INTO candidate (due, kind, scope, digest) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (due, kind, scope, digest) DO UPDATE SET due = excluded.due",
        args![due, kind.code(), scope, &digest.to_key()],
    )
    .map(drop)
}

/// Returns up to `limit` candidates that are due by the time `now`.
pub(crate) fn due(tx: &mut dyn Tx, now: Timestamp, limit: i64) -> Result<Vec<Candidate>> {
    let sql = "SELECT due, kind, scope, digest FROM candidate WHERE due <= ?1 ORDER BY due, kind, scope, digest LIMIT ?2";
    tx.rows(sql, args![now, limit])
}

/// Removes a candidate that is about to be decided; returns whether nobody else has.
pub(crate) fn remove(tx: &mut dyn Tx, candidate: &Candidate) -> Result<bool> {
    let removed = tx.execute(
        "DELETE FROM candidate WHERE due = ?1 AND kind = ?2 AND scope = ?3 AND digest = ?4",
        args![
            candidate.due,
            candidate.kind.code(),
            &candidate.scope,
            &candidate.digest.to_key()
        ],
    )?;
    Ok(removed == 1)
}

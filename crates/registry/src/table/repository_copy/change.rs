//! What changes in a repository while it is copied, noted in the transaction that changes it. Without a copy of the repository that
//! is one look-up in a table that is mostly empty.

use longshore_store::meta::{Result, Tx, Value};
use longshore_types::{
    digest::Digest,
    id::{CopyId, Incarnation},
};

use crate::table::{ROWS_PER_STATEMENT, args, values};

/// What kind of thing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An image, by its digest.
    Image,
    /// A tag, by its name.
    Tag,
}

impl Kind {
    fn code(self) -> i64 {
        match self {
            Self::Image => 1,
            Self::Tag => 2,
        }
    }
}

/// Notes that images or tags of a repository have come, changed or gone.
pub(crate) fn note<'a>(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    images: &[Digest],
    tags: impl IntoIterator<Item = &'a str>,
) -> Result<()> {
    let copies = copies(tx, incarnation)?;
    if copies.is_empty() {
        return Ok(());
    }
    let images = images.iter().map(|image| (Kind::Image, image.to_key()));
    let tags = tags
        .into_iter()
        .map(|tag| (Kind::Tag, tag.as_bytes().to_vec()));
    let changes: Vec<_> = images.chain(tags).collect();
    for copy in copies {
        for chunk in changes.chunks(ROWS_PER_STATEMENT) {
            let mut args = vec![Value::from(copy.as_bytes())];
            for (kind, name) in chunk {
                args.extend([Value::from(kind.code()), Value::from(name)]);
            }
            let rows = values(1, 2, chunk.len());
            let sql = format!(
                "INSERT INTO repository_copy_change (copy, kind, name) VALUES {rows} ON CONFLICT DO NOTHING"
            );
            tx.execute(&sql, &args)?;
        }
    }
    Ok(())
}

fn copies(tx: &mut dyn Tx, source: Incarnation) -> Result<Vec<CopyId>> {
    let sql = "SELECT id FROM repository_copy WHERE source = ?1 AND ended_at IS NULL";
    tx.rows(sql, args![source.as_bytes()])
}

/// Notes that the images which lack `layer` have it now, before they are told.
pub(crate) fn layer_comes(tx: &mut dyn Tx, incarnation: Incarnation, layer: &Digest) -> Result<()> {
    tx.execute(
        "INSERT INTO repository_copy_change (copy, kind, name) SELECT c.id, 1, a.image FROM repository_copy c \
         JOIN image_absent_layer a ON a.incarnation = c.source WHERE c.source = ?1 AND c.ended_at IS NULL AND a.layer = ?2 \
         ON CONFLICT DO NOTHING",
        args![incarnation.as_bytes(), &layer.to_key()],
    )
    .map(drop)
}

/// Returns up to `limit` changes of one kind.
pub(crate) fn page(tx: &mut dyn Tx, copy: CopyId, kind: Kind, limit: i64) -> Result<Vec<Vec<u8>>> {
    let sql = "SELECT name FROM repository_copy_change WHERE copy = ?1 AND kind = ?2 ORDER BY name LIMIT ?3";
    tx.rows(sql, args![copy.as_bytes(), kind.code(), limit])
}

/// Returns whether a change was noted and not made up for.
pub(crate) fn is_noted(tx: &mut dyn Tx, copy: CopyId, kind: Kind, name: &[u8]) -> Result<bool> {
    let sql =
        "SELECT COUNT(*) FROM repository_copy_change WHERE copy = ?1 AND kind = ?2 AND name = ?3";
    Ok(tx.count(sql, args![copy.as_bytes(), kind.code(), name])? == 1)
}

/// Returns whether there is any change that was not made up for.
pub(crate) fn any(tx: &mut dyn Tx, copy: CopyId) -> Result<bool> {
    let sql = "SELECT CASE WHEN EXISTS (SELECT 1 FROM repository_copy_change WHERE copy = ?1) THEN 1 ELSE 0 END";
    Ok(tx.count(sql, args![copy.as_bytes()])? == 1)
}

/// Forgets a change that was made up for.
pub(crate) fn remove(tx: &mut dyn Tx, copy: CopyId, kind: Kind, name: &[u8]) -> Result<()> {
    tx.execute(
        "DELETE FROM repository_copy_change WHERE copy = ?1 AND kind = ?2 AND name = ?3",
        args![copy.as_bytes(), kind.code(), name],
    )
    .map(drop)
}

/// Forgets up to `limit` changes of a copy; returns how many.
pub(crate) fn clear(tx: &mut dyn Tx, copy: CopyId, limit: i64) -> Result<u64> {
    tx.execute(
        "DELETE FROM repository_copy_change WHERE copy = ?1 AND (kind, name) IN \
         (SELECT x.kind, x.name FROM repository_copy_change x WHERE x.copy = ?1 LIMIT ?2)",
        args![copy.as_bytes(), limit],
    )
}

//! Pages of images in order of digest, of which no one looks at more than 5,000 rows.

use longshore_store::meta::Tx;
use longshore_types::{digest::Digest, id::Incarnation};

use super::filter::Filter;
use crate::{
    error::{Error, Result},
    table::{
        image::{self, Detail, TagStatus},
        image_storage::{self, StatusFilter},
    },
};

/// How many images one page looks at; a filter that passes few of them ends the page early.
const ROWS_PER_PAGE: i64 = 5000;
/// Above every key of a digest.
pub(super) const END: &[u8] = &[0xff];

/// Some images, and after which one to go on, if there may be more.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) images: Vec<Detail>,
    pub(super) next: Option<Digest>,
}

impl Scanned {
    /// Ends the page after `size` images.
    pub(super) fn cut(&mut self, size: usize) {
        if self.images.len() > size {
            self.images.truncate(size);
            self.next = self.images.last().map(|image| image.digest);
        }
    }
}

/// Returns up to which image a page after `after` looks, if its filter could pass over more than a page may look at.
pub(super) fn bound(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    after: &[u8],
    filter: Filter,
) -> Result<Option<Digest>> {
    let skips = match filter.images {
        StatusFilter::Active => image_storage::any(tx, incarnation)?,
        StatusFilter::Any | StatusFilter::Archived | StatusFilter::Activating => false,
    };
    if skips || filter.tags != TagStatus::Any {
        let rows = ROWS_PER_PAGE;
        return Ok(image_storage::nth_after(
            tx,
            incarnation,
            filter.images,
            after,
            rows,
        )?);
    }
    Ok(None)
}

/// Returns at most `size` images that pass a filter after `after`.
pub(super) fn scan(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    after: Option<Digest>,
    filter: Filter,
    size: usize,
) -> Result<Scanned> {
    let after = after.map(|digest| digest.to_key()).unwrap_or_default();
    let until = bound(tx, incarnation, &after, filter)?;
    let end = until.map_or_else(|| END.to_owned(), |digest| digest.to_key());
    let limit = i64::try_from(size + 1).map_err(Error::internal)?;
    let which = (filter.tags, filter.images);
    let images = image::page(tx, incarnation, (&after, &end), which, limit)?;
    let mut scanned = Scanned {
        images,
        next: until,
    };
    scanned.cut(size);
    Ok(scanned)
}

#[cfg(test)]
mod tests {
    use longshore_store::meta::{Durability, Metadata, SCHEMA, Value, sqlite::Options};

    use super::*;

    const IMAGES: i64 = 12_345;

    /// A repository of so many images of which every `tagged`th has a tag.
    async fn store(tagged: i64) -> (Metadata, Incarnation) {
        let meta = Metadata::sqlite(Options::temporary(SCHEMA)).unwrap();
        let incarnation = Incarnation::from_slice(&[7; 16]).unwrap();
        meta.write(Durability::Soft, move |tx| {
            let id = Value::from(incarnation.as_bytes());
            for sql in [
                "INSERT INTO account (id, version, created_at) VALUES ('123456789012', 1, 0)",
                "INSERT INTO domain VALUES (?1, 'private', '123456789012', 'e', '', 0)",
                "INSERT INTO repository (incarnation, kind, account, region, name, domain, version, mutability, exclusion_filters, \
                 scan_on_push, created_at, died_at) VALUES (?1, 'private', '123456789012', 'e', 'app', ?1, 1, 'MUTABLE', '', 0, 0, NULL)",
            ] {
                let args = if sql.contains("?1") { &[id][..] } else { &[] };
                tx.execute(sql, args)?;
            }
            // The key is the algorithm's byte and a number in front of zeroes, so the order is that of the numbers.
            tx.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) \
                 INSERT INTO image (incarnation, digest, media_type, manifest_bytes, size, pushed_at, manifest) \
                 SELECT ?1, unhex(printf('01%08x', i) || printf('%056d', 0)), 't', 0, 0, 0, x'00' FROM n",
                &[id, Value::from(IMAGES)],
            )?;
            tx.execute(
                "WITH RECURSIVE n (i) AS (SELECT ?2 UNION ALL SELECT i + ?2 FROM n WHERE i + ?2 <= ?3) \
                 INSERT INTO tag (incarnation, name, image) SELECT ?1, 'v' || i, unhex(printf('01%08x', i) || printf('%056d', 0)) FROM n",
                &[id, Value::from(tagged), Value::from(IMAGES)],
            )
        })
        .await
        .unwrap();
        (meta, incarnation)
    }

    /// Reads all pages; returns how many images each has, and all images in the order they came.
    async fn pages(
        meta: &Metadata,
        incarnation: Incarnation,
        status: TagStatus,
        size: usize,
    ) -> (Vec<usize>, Vec<Digest>) {
        let (mut sizes, mut images, mut after) = (Vec::new(), Vec::new(), None);
        loop {
            let scanned = meta
                .read(move |tx| {
                    let images = StatusFilter::Active;
                    let filter = Filter {
                        tags: status,
                        images,
                    };
                    scan(tx, incarnation, after, filter, size)
                })
                .await
                .unwrap();
            sizes.push(scanned.images.len());
            images.extend(scanned.images.iter().map(|image| image.digest));
            after = scanned.next;
            if after.is_none() {
                return (sizes, images);
            }
        }
    }

    #[tokio::test]
    async fn a_page_looks_at_no_more_rows_than_its_bound_and_none_is_missed() {
        let (meta, incarnation) = store(6000).await;
        let (sizes, tagged) = pages(&meta, incarnation, TagStatus::Tagged, 100).await;
        assert_eq!(sizes, [0, 1, 1]);
        assert_eq!(tagged.len(), 2);
        let (sizes, untagged) = pages(&meta, incarnation, TagStatus::Untagged, 10_000).await;
        assert_eq!(sizes, [5000, 4999, 2344]);
        assert!(untagged.is_sorted());
        let (sizes, all) = pages(&meta, incarnation, TagStatus::Any, 10_000).await;
        assert_eq!(sizes, [10_000, 2345]);
        assert_eq!(all.len(), tagged.len() + untagged.len());
    }
}

//! Pages of images in order of digest, of which no one looks at more than 5,000 rows.

use longshore_store::meta::Tx;
use longshore_types::{digest::Digest, id::Incarnation};

use crate::{
    error::{Error, Result},
    table::image::{self, Detail, TagStatus},
};

/// How many images one page looks at; a filter that passes few of them ends the page early.
const ROWS_PER_PAGE: i64 = 5000;
/// Above every key of a digest.
const END: &[u8] = &[0xff];

/// Some images, and after which one to go on, if there may be more.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) images: Vec<Detail>,
    pub(super) next: Option<Digest>,
}

impl Scanned {
    /// No images, and no more to come.
    pub(super) const NONE: Self = Self {
        images: Vec::new(),
        next: None,
    };

    /// Ends the page after `size` images.
    pub(super) fn cut(&mut self, size: usize) {
        if self.images.len() > size {
            self.images.truncate(size);
            self.next = self.images.last().map(|image| image.digest);
        }
    }
}

/// Returns at most `size` images of a tag status after `after`.
pub(super) fn scan(
    tx: &mut dyn Tx,
    incarnation: Incarnation,
    after: Option<Digest>,
    status: TagStatus,
    size: usize,
) -> Result<Scanned> {
    let after = after.map(|digest| digest.to_key()).unwrap_or_default();
    let until = match status {
        TagStatus::Any => None,
        TagStatus::Tagged | TagStatus::Untagged => {
            image::nth_after(tx, incarnation, &after, ROWS_PER_PAGE)?
        }
    };
    let end = until.map_or_else(|| END.to_owned(), |digest| digest.to_key());
    let limit = i64::try_from(size + 1).map_err(Error::internal)?;
    let images = image::page(tx, incarnation, (&after, &end), status, limit)?;
    let mut scanned = Scanned {
        images,
        next: until,
    };
    scanned.cut(size);
    Ok(scanned)
}

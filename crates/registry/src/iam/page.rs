//! Pages of IAM's lists: `MaxItems`, `Marker` and `IsTruncated`.

use std::ops::Deref;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use super::member;
use crate::{
    core::Core,
    error::{Error, Result},
    page,
};

const DEFAULT: i64 = 100;
const MAX: i64 = 1000;

/// What a caller asked for: a page of a list that begins after a key.
#[derive(Debug)]
pub(crate) struct Paging<K>(page::Paging<K>);

impl<K> Deref for Paging<K> {
    type Target = page::Paging<K>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// A page and how to go on.
#[derive(Clone, Debug)]
pub(crate) struct Page<T> {
    /// What is on the page.
    pub(crate) rows: Vec<T>,
    /// Whether there is more.
    pub(crate) is_truncated: bool,
    /// What continues the list.
    pub(crate) marker: Option<String>,
}

/// Checks `MaxItems`.
pub(crate) fn size(max_items: Option<i64>) -> Result<usize> {
    let size = max_items.unwrap_or(DEFAULT);
    let refuse = |constraint: String| member::invalid("maxItems", &size.to_string(), constraint);
    if size < 1 {
        return Err(refuse(
            "Member must have value greater than or equal to 1".to_owned(),
        ));
    }
    if size > MAX {
        return Err(refuse(format!(
            "Member must have value less than or equal to {MAX}"
        )));
    }
    usize::try_from(size).map_err(Error::internal)
}

impl<K: Serialize + DeserializeOwned> Paging<K> {
    /// Reads what a caller asked for. `list` names the operation, the account and all filters.
    pub(crate) fn new(
        core: &Core,
        list: &str,
        marker: Option<&str>,
        max_items: Option<i64>,
    ) -> Result<Self> {
        let size = size(max_items)?;
        let paging = page::Paging::read(&core.tokens, hashed(list), size, marker);
        paging
            .map(Self)
            .map_err(|_| member::invalid("marker", marker.unwrap_or_default(), "Invalid Marker."))
    }

    /// Makes the page shorter than the caller asked for, where one of that length could be too much.
    pub(crate) fn at_most(self, size: usize) -> Self {
        Self(self.0.at_most(size))
    }

    /// Makes a page of the rows read.
    pub(crate) fn page<T>(
        &self,
        core: &Core,
        mut rows: Vec<T>,
        key: impl Fn(&T) -> K,
    ) -> Result<Page<T>> {
        let marker = self.cut(&core.tokens, &mut rows, key)?;
        Ok(Page {
            rows,
            is_truncated: marker.is_some(),
            marker,
        })
    }
}

/// A marker has 320 characters at most, and a list's filters may have more.
fn hashed(list: &str) -> String {
    STANDARD_NO_PAD.encode(digest(&SHA256, list.as_bytes()))
}

//! What is lost with bytes that are missing or damaged: which blobs, and which images need them.

use std::collections::BTreeMap;

use longshore_store::meta::Metadata;
use longshore_types::{
    digest::Digest,
    id::{ContentId, DomainId},
};
use serde::Serialize;

use crate::{
    error::{Error, Result},
    table::{lost, scrub},
};

const PAGE: i64 = 500;
/// How many blobs a report names.
const MOST: usize = 1_000;

/// A blob whose bytes are missing or damaged.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lost {
    /// Its digest.
    pub digest: String,
    /// What is wrong.
    pub problem: String,
    /// The images that need it; at most 20.
    pub images: Vec<NeededBy>,
    #[serde(skip)]
    pub(crate) key: (DomainId, Digest, ContentId),
}

/// An image that needs a blob.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NeededBy {
    /// `private` or `public`.
    pub kind: String,
    /// The account of its registry.
    pub account: String,
    /// The Region of its registry; empty for a public one.
    pub region: String,
    /// Its repository.
    pub repository: String,
    /// Its digest.
    pub digest: String,
    /// Its tags, and those of the indexes above it; at most 20.
    pub tags: Vec<String>,
    /// Whether it has expired and could be brought back.
    pub expired: bool,
}

/// Finds the blobs whose contents are damaged, in the order of their keys; reads all blobs.
pub(crate) async fn find(
    meta: &Metadata,
    damaged: &BTreeMap<ContentId, String>,
) -> Result<Vec<Lost>> {
    let mut found: Vec<Lost> = Vec::new();
    let mut after = (Vec::new(), Vec::new());
    loop {
        let (domain, digest) = after.clone();
        let blobs = meta
            .read(move |tx| Ok::<_, Error>(scrub::blobs(tx, (&domain, &digest), PAGE)?))
            .await?;
        let Some(last) = blobs.last() else {
            return Ok(found);
        };
        after = (last.domain.as_bytes().to_vec(), last.digest.to_key());
        for blob in blobs {
            let Some(problem) = damaged.get(&blob.content) else {
                continue;
            };
            let (domain, digest) = (blob.domain, blob.digest);
            // Beyond a report's length they are still marked by whoever marks them.
            let images = if found.len() < MOST {
                meta.read(move |tx| Ok::<_, Error>(lost::users(tx, domain, &digest)?))
                    .await?
            } else {
                Vec::new()
            };
            found.push(Lost {
                digest: digest.to_string(),
                problem: problem.clone(),
                images,
                key: (domain, digest, blob.content),
            });
        }
    }
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.digest, self.problem)?;
        if self.images.is_empty() {
            return f.write_str("; no image needs it");
        }
        for (at, image) in self.images.iter().enumerate() {
            let lead = if at == 0 { "; needed by" } else { "," };
            write!(f, "{lead} {image}")?;
        }
        Ok(())
    }
}

impl std::fmt::Display for NeededBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            kind,
            account,
            region,
            repository,
            digest,
            tags,
            expired,
        } = self;
        let region = if region.is_empty() { kind } else { region };
        write!(f, "{account}/{region}/{repository}@{digest}")?;
        if !tags.is_empty() {
            write!(f, " ({})", tags.join(", "))?;
        }
        if *expired {
            f.write_str(" (expired)")?;
        }
        Ok(())
    }
}

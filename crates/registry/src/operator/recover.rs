//! `recover`: finds segments that no row names, and makes blobs of them again.
//!
//! All segments are listed, those of the archive store too. One is nobody's when no row names it after it was seen: what is being
//! written has its intent from before it exists, and what is removed keeps its row until it is gone. Its header says whose
//! it is and its footer what hash its upload had after it, so the segments of an upload make a chain. A chain that is whole
//! and has the bytes that its last footer says becomes a blob, linked in a repository `recovered` of its registry (or
//! `recovered-2` …, where somebody else has made that one), where it is kept for [`KEPT`] unless an image comes to need it. Nothing is written to the store of segments, and nothing removed.

mod chain;
mod link;
mod ring;

use std::{collections::BTreeMap, time::Duration};

use longshore_store::blob::BlobError;
use longshore_types::id::{DomainId, PhysicalId, UploadId};
use serde::Serialize;

use self::{chain::Seen, ring::Ring};
use super::unknown::{self, SHARDS};
use crate::{
    core::Core,
    error::{Error, Result},
};

pub use self::ring::opens_any_copy;

/// How long what was recovered is kept without an image that needs it.
pub const KEPT: Duration = Duration::from_hours(30 * 24);
/// How many findings a report names; further ones are counted.
const FINDINGS: usize = 1_000;

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recovered {
    /// Segments that were listed.
    pub segments: u64,
    /// Those that no row names.
    pub unknown: u64,
    /// Blobs that were made of those.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Chains that make a blob which is there already.
    pub present: u64,
    /// Segments and chains that nothing could be made of.
    pub left: u64,
    /// The repositories that have the blobs, `KIND/ACCOUNT/REGION/recovered`.
    pub repositories: Vec<String>,
    /// The first thousand that nothing could be made of.
    pub findings: Vec<Finding>,
    /// How many folders were listed, `SHARDS` of each store, until blobs are made.
    #[serde(skip)]
    pub listed: u32,
}

/// Something that nothing could be made of.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The segment, or the first one of the upload.
    pub segment: String,
    /// Why not.
    pub problem: String,
}

impl Recovered {
    fn find(&mut self, segment: PhysicalId, problem: impl std::fmt::Display) {
        self.left += 1;
        if self.findings.len() < FINDINGS {
            self.findings.push(Finding {
                segment: segment.to_string(),
                problem: problem.to_string(),
            });
        }
    }
}

/// Recovers what there is to recover; `progress` is told after every step. Run again, it goes on with what is left.
pub async fn recover(core: &Core, mut progress: impl FnMut(&Recovered)) -> Result<Recovered> {
    let mut done = Recovered::default();
    let mut ring = Ring::load(core).await?;
    let mut uploads: BTreeMap<(u32, DomainId, UploadId), Vec<Seen>> = BTreeMap::new();
    let stores = core.blobs.listed();
    if stores.is_empty() {
        return Err(Error::internal("the store of the blobs cannot be listed"));
    }
    for (store, objects) in stores {
        for shard in 0..SHARDS {
            let unknown = unknown::list(core, objects.as_ref(), shard).await?;
            done.segments += unknown.listed;
            done.unknown += unknown.ids.len() as u64;
            for id in unknown.ids {
                match ring.open(core, (store, id)).await {
                    Ok(found) => {
                        let of = (store, found.domain, found.recovered.upload_id);
                        let seen = Seen::of(id, &found.recovered);
                        uploads.entry(of).or_default().push(seen);
                    }
                    // It was removed since it was listed.
                    Err(Error::BlobUnknown) => {}
                    Err(error @ Error::Unavailable) => return Err(error),
                    Err(error) => done.find(id, causes(&error)),
                }
            }
            done.listed += 1;
            progress(&done);
        }
    }
    for ((store, domain, _), seen) in uploads {
        let first = seen.iter().map(|seen| seen.id).min();
        match chain::longest(seen) {
            Ok(chain) => link::blob(core, &mut ring, (store, domain), &chain, &mut done).await?,
            Err(problem) => {
                if let Some(first) = first {
                    done.find(first, problem);
                }
            }
        }
        progress(&done);
    }
    Ok(done)
}

/// An error of the store of segments, as far as it matters here.
fn refused(error: BlobError) -> Error {
    match error {
        BlobError::Missing(_) => Error::BlobUnknown,
        BlobError::Unavailable { .. } => Error::Unavailable,
        error => Error::internal(error),
    }
}

/// An error with all that caused it.
fn causes(error: &Error) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| {
        error.source()
    });
    // The first of several says only that it is one of ours.
    let texts: Vec<String> = causes.skip(1).map(ToString::to_string).collect();
    if texts.is_empty() {
        error.to_string()
    } else {
        texts.join(": ")
    }
}

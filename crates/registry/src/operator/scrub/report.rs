//! What a scrub tells, which is also what is kept of it to go on.

use serde::{Deserialize, Serialize};

/// How many findings, and how many repairs, a report names; further ones are counted.
const NAMED: usize = 1_000;

/// How far a scrub is and what it has found. Serialized, it is what is kept to go on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Scrubbed {
    /// How many blobs there were when it began.
    pub total_blobs: u64,
    /// How many bytes those had.
    pub total_bytes: u64,
    /// Blobs read.
    pub blobs: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Manifests opened.
    pub images: u64,
    /// Blobs and manifests that are damaged, and stay so.
    pub damaged: u64,
    /// Those that were damaged and are whole again: by another copy, or because their bytes are back.
    pub repaired: u64,
    /// The first thousand that are damaged.
    pub findings: Vec<Finding>,
    /// The first thousand that another copy has repaired.
    pub repairs: Vec<Repair>,
    /// The last key of the blobs, then of the images, then of those that are expired and can be brought back.
    pub(super) at: Position,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Position {
    Blobs(Vec<u8>, Vec<u8>),
    Images(Vec<u8>, Vec<u8>),
    Expired(Vec<u8>, Vec<u8>),
}

impl Default for Position {
    fn default() -> Self {
        Self::Blobs(Vec::new(), Vec::new())
    }
}

/// Something that is not what its digest says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The digest of the blob or manifest.
    pub digest: String,
    /// What is wrong.
    pub problem: String,
    /// Why no other copy has repaired it.
    #[serde(default)]
    pub not_repaired: String,
    /// Images that need it, `account/Region/repository@digest (tags)`; at most 20, and 20 that have expired.
    pub images: Vec<String>,
}

/// Something that was not what its digest says, and is again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repair {
    /// The digest of the blob or manifest.
    pub digest: String,
    /// What was wrong.
    pub problem: String,
    /// Where the bytes came from.
    pub from: String,
}

impl Scrubbed {
    pub(super) fn find(&mut self, finding: Finding) {
        let Finding {
            digest,
            problem,
            not_repaired,
            images,
        } = &finding;
        tracing::error!(
            digest,
            problem,
            not_repaired,
            ?images,
            "scrub has found damage"
        );
        self.damaged += 1;
        if self.findings.len() < NAMED {
            self.findings.push(finding);
        }
    }

    pub(super) fn repair(&mut self, repair: Repair) {
        let Repair {
            digest,
            problem,
            from,
        } = &repair;
        tracing::warn!(digest, problem, from, "scrub has repaired damage");
        self.repaired += 1;
        if self.repairs.len() < NAMED {
            self.repairs.push(repair);
        }
    }
}

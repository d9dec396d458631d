//! `scrub`: reads every blob and every manifest again and compares them with their digests.
//!
//! What is wrong is marked damaged: absent to every read and check until it is uploaded again. What is marked and reads
//! well again, because its file was brought back, is whole again. Where the scrub stands is kept, so that one that is
//! stopped goes on.

use std::time::{Duration, Instant};

use longshore_store::{hash::UploadHash, meta::Durability};
use longshore_types::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    core::Core,
    error::{Error, Result},
    storage::{blob::open, manifest},
    table::{
        blob, operator_task,
        scrub::{self, ScrubBlob, ScrubImage},
    },
};

const NAME: &str = "scrub";
const BLOBS_PER_STEP: i64 = 50;
const IMAGES_PER_STEP: i64 = 200;
/// How many images are named that need a damaged blob.
const USERS: i64 = 20;
/// How many findings a report names; further ones are counted.
const FINDINGS: usize = 1_000;

/// How to scrub.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Bytes read in a second; as fast as it goes without.
    pub bytes_per_second: Option<u64>,
    /// Begin again, although an earlier scrub was stopped on its way.
    pub restart: bool,
}

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
    /// Blobs and manifests that are damaged.
    pub damaged: u64,
    /// Blobs that were damaged and are whole again.
    pub repaired: u64,
    /// The first thousand that are damaged.
    pub findings: Vec<Finding>,
    /// The last key of the blobs, then of the images, then of those that are expired and can be brought back.
    at: Position,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Position {
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
    /// Images that need it, `repository@digest`; at most 20.
    pub images: Vec<String>,
}

/// Scrubs the store; `progress` is told after every blob. Goes on where an earlier one was stopped.
pub async fn scrub(
    core: &Core,
    options: Options,
    mut progress: impl FnMut(&Scrubbed),
) -> Result<Scrubbed> {
    let mut state = begin(core, options.restart).await?;
    let mut pace = Pace::new(options.bytes_per_second);
    while step(core, &mut state, &mut pace, &mut progress).await? {
        let text = serde_json::to_string(&state).map_err(Error::internal)?;
        core.meta
            .write(Durability::Soft, move |tx| {
                Ok::<_, Error>(operator_task::put(tx, NAME, &text)?)
            })
            .await?;
    }
    core.meta
        .write(Durability::Soft, |tx| {
            Ok::<_, Error>(operator_task::remove(tx, NAME)?)
        })
        .await?;
    Ok(state)
}

async fn begin(core: &Core, restart: bool) -> Result<Scrubbed> {
    let kept = core
        .meta
        .read(|tx| Ok::<_, Error>(operator_task::get(tx, NAME)?))
        .await?;
    // What an older program kept may be of another form.
    let kept = kept.and_then(|text| serde_json::from_str(&text).ok());
    if let (Some(state), false) = (kept, restart) {
        return Ok(state);
    }
    let (blobs, bytes) = core
        .meta
        .read(|tx| Ok::<_, Error>(scrub::total(tx)?))
        .await?;
    Ok(Scrubbed {
        total_blobs: blobs.cast_unsigned(),
        total_bytes: bytes.cast_unsigned(),
        ..Scrubbed::default()
    })
}

/// Takes one step; returns whether there is another.
async fn step(
    core: &Core,
    state: &mut Scrubbed,
    pace: &mut Pace,
    progress: &mut impl FnMut(&Scrubbed),
) -> Result<bool> {
    match state.at.clone() {
        Position::Blobs(domain, digest) => {
            let blobs = core
                .meta
                .read(move |tx| {
                    Ok::<_, Error>(scrub::blobs(tx, (&domain, &digest), BLOBS_PER_STEP)?)
                })
                .await?;
            if blobs.is_empty() {
                state.at = Position::Images(Vec::new(), Vec::new());
            }
            for blob in blobs {
                check_blob(core, state, pace, &blob).await?;
                state.blobs += 1;
                state.at = Position::Blobs(blob.domain.as_bytes().to_vec(), blob.digest.to_key());
                progress(state);
            }
            Ok(true)
        }
        Position::Images(incarnation, digest) => {
            let after = (incarnation, digest);
            let last = check_images(core, state, scrub::Images::Live, after).await?;
            state.at = match last {
                Some((incarnation, digest)) => Position::Images(incarnation, digest),
                None => Position::Expired(Vec::new(), Vec::new()),
            };
            progress(state);
            Ok(true)
        }
        Position::Expired(incarnation, digest) => {
            let after = (incarnation, digest);
            let last = check_images(core, state, scrub::Images::Expired, after).await?;
            progress(state);
            let Some((incarnation, digest)) = last else {
                return Ok(false);
            };
            state.at = Position::Expired(incarnation, digest);
            Ok(true)
        }
    }
}

async fn check_blob(
    core: &Core,
    state: &mut Scrubbed,
    pace: &mut Pace,
    found: &ScrubBlob,
) -> Result<()> {
    let (domain, digest, content) = (found.domain, found.digest, found.content);
    let read = read_blob(core, state, pace, found).await;
    let problem = match &read {
        Ok(None) => return mend(core, state, found).await,
        Ok(Some(problem)) => problem.clone(),
        Err(error) => causes(error),
    };
    let differs = read.is_ok();
    let (damaged, users) = core
        .meta
        .write(Durability::Durable, move |tx| {
            // A read that failed for what the bytes are has marked the blob.
            let damaged = if differs {
                blob::damage(tx, domain, &digest, content)?.then_some(true)
            } else {
                blob::is_damaged(tx, domain, &digest, content)?
            };
            Ok::<_, Error>((damaged, scrub::users(tx, domain, &digest, USERS)?))
        })
        .await?;
    let images = users
        .into_iter()
        .map(|(repository, image)| format!("{repository}@{image}"))
        .collect();
    match damaged {
        Some(true) => state.find(&digest, problem, images),
        // The store could not be read just now.
        Some(false) => state.find(&digest, format!("unreadable: {problem}"), images),
        // It was collected meanwhile, or replaced by a new upload.
        None => {}
    }
    Ok(())
}

/// Reads a blob; says what is wrong with it.
async fn read_blob(
    core: &Core,
    state: &mut Scrubbed,
    pace: &mut Pace,
    found: &ScrubBlob,
) -> Result<Option<String>> {
    let keys = core
        .keys
        .domain(&core.meta, found.registry, found.domain)
        .await?;
    let mut download = open(core, keys, found.digest, found.content, 0..found.size).await?;
    let mut hash = UploadHash::new(Some(found.digest.algorithm()));
    while let Some(bytes) = download.next().await {
        let bytes = bytes?;
        hash.update(&bytes);
        state.bytes += bytes.len() as u64;
        pace.wait(bytes.len()).await;
    }
    let (sha256, other) = hash.finish();
    let same = found.digest == sha256 || other == Some(found.digest);
    Ok((!same).then(|| format!("its bytes have the digest {sha256}")))
}

/// Lifts the mark of a blob that reads well.
async fn mend(core: &Core, state: &mut Scrubbed, found: &ScrubBlob) -> Result<()> {
    if !found.damaged {
        return Ok(());
    }
    let (domain, digest, content) = (found.domain, found.digest, found.content);
    let mended = core
        .meta
        .write(Durability::Durable, move |tx| {
            Ok::<_, Error>(blob::mend(tx, domain, &digest, content)?)
        })
        .await?;
    state.repaired += u64::from(mended);
    Ok(())
}

/// Opens the manifests of the next images; returns the key of the last.
async fn check_images(
    core: &Core,
    state: &mut Scrubbed,
    of: scrub::Images,
    (incarnation, digest): (Vec<u8>, Vec<u8>),
) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let images = core
        .meta
        .read(move |tx| {
            Ok::<_, Error>(scrub::images(
                tx,
                of,
                (&incarnation, &digest),
                IMAGES_PER_STEP,
            )?)
        })
        .await?;
    for image in &images {
        check_image(core, state, image).await?;
        state.images += 1;
    }
    let key = |image: &ScrubImage| (image.incarnation.as_bytes().to_vec(), image.digest.to_key());
    Ok(images.last().map(key))
}

async fn check_image(core: &Core, state: &mut Scrubbed, image: &ScrubImage) -> Result<()> {
    let keys = core
        .keys
        .domain(&core.meta, image.registry, image.domain)
        .await?;
    let problem = match manifest::open(&keys, &image.digest, &image.manifest) {
        Ok(bytes) => {
            let mut hash = UploadHash::new(None);
            hash.update(&bytes);
            let (found, _) = hash.finish();
            if found == image.digest {
                return Ok(());
            }
            format!("the manifest has the digest {found}")
        }
        Err(_) => "the manifest cannot be opened".to_owned(),
    };
    let name = format!("{}@{}", image.repository, image.digest);
    state.find(&image.digest, problem, vec![name]);
    Ok(())
}

impl Scrubbed {
    fn find(&mut self, digest: &Digest, problem: String, images: Vec<String>) {
        tracing::error!(blob.digest = %digest, problem, ?images, "scrub has found damage");
        self.damaged += 1;
        if self.findings.len() < FINDINGS {
            self.findings.push(Finding {
                digest: digest.to_string(),
                problem,
                images,
            });
        }
    }
}

/// An error with all that caused it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Holds reading to a rate.
#[derive(Debug)]
struct Pace {
    bytes_per_second: Option<u64>,
    since: Instant,
    bytes: u64,
}

impl Pace {
    fn new(bytes_per_second: Option<u64>) -> Self {
        Self {
            bytes_per_second,
            since: Instant::now(),
            bytes: 0,
        }
    }

    async fn wait(&mut self, bytes: usize) {
        let Some(rate) = self.bytes_per_second else {
            return;
        };
        self.bytes += bytes as u64;
        #[expect(clippy::cast_precision_loss, reason = "a pace need not be exact")]
        let due = Duration::from_secs_f64(self.bytes as f64 / rate.max(1) as f64);
        tokio::time::sleep(due.saturating_sub(self.since.elapsed())).await;
    }
}

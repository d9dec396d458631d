//! `scrub`: reads every blob and every manifest again and compares them with their digests.
//!
//! What is wrong is marked damaged: absent to every read and check until it is uploaded again. Then it is repaired, if another
//! registry here has the same bytes, or a backup that was given. What is marked and reads well again, because its file was
//! brought back, is whole again. Where the scrub stands is kept, so that one that is stopped goes on.

mod pace;
mod repair;
mod report;
mod spares;

use longshore_store::{hash::UploadHash, meta::Durability};

use self::{
    pace::Pace,
    repair::{Damaged, Outcome, repair},
    report::Position,
};
pub use self::{
    report::{Finding, Repair, Scrubbed},
    spares::Spares,
};
use crate::{
    core::Core,
    error::{Error, Result},
    operator::lost::NeededBy,
    storage::{blob::open, manifest},
    table::{
        blob, lost, operator_task,
        scrub::{self, Images, ScrubBlob, ScrubImage},
    },
};

const NAME: &str = "scrub";
/// A scrub of what is marked is kept apart: it goes over what the other has not come to.
const NAME_OF_MARKED: &str = "scrub marked";
const BLOBS_PER_STEP: i64 = 50;
/// Of blobs that are not read.
const ROWS_PER_STEP: i64 = 1_000;
const IMAGES_PER_STEP: i64 = 200;

/// How to scrub.
#[derive(Debug, Default)]
pub struct Options {
    /// Bytes read in a second; as fast as it goes without.
    pub bytes_per_second: Option<u64>,
    /// Begin again, although an earlier scrub was stopped on its way.
    pub restart: bool,
    /// Of the blobs, read only those that are marked damaged.
    pub marked: bool,
    /// Backups to repair from.
    pub spares: Option<Spares>,
}

/// Scrubs the store; `progress` is told after every blob. Goes on where an earlier one was stopped.
pub async fn scrub(
    core: &Core,
    options: Options,
    progress: impl FnMut(&Scrubbed),
) -> Result<Scrubbed> {
    let mut scrub = Scrub {
        core,
        state: begin(core, &options).await?,
        pace: Pace::new(options.bytes_per_second),
        options,
        progress,
    };
    let name = scrub.options.name();
    while scrub.step().await? {
        let text = serde_json::to_string(&scrub.state).map_err(Error::internal)?;
        core.meta
            .write(Durability::Soft, move |tx| {
                Ok::<_, Error>(operator_task::put(tx, name, &text)?)
            })
            .await?;
    }
    core.meta
        .write(Durability::Soft, move |tx| {
            Ok::<_, Error>(operator_task::remove(tx, name)?)
        })
        .await?;
    Ok(scrub.state)
}

impl Options {
    const fn name(&self) -> &'static str {
        if self.marked { NAME_OF_MARKED } else { NAME }
    }
}

async fn begin(core: &Core, options: &Options) -> Result<Scrubbed> {
    let (name, marked) = (options.name(), options.marked);
    let kept = core
        .meta
        .read(move |tx| Ok::<_, Error>(operator_task::get(tx, name)?))
        .await?;
    // What an older program kept may be of another form.
    let kept = kept.and_then(|text| serde_json::from_str(&text).ok());
    if let (Some(state), false) = (kept, options.restart) {
        let state: Scrubbed = state;
        // Backups are asked for what was found before they were given, too.
        if options.spares.is_none() || state.damaged == 0 {
            return Ok(state);
        }
    }
    let (blobs, bytes) = core
        .meta
        .read(move |tx| Ok::<_, Error>(scrub::total(tx, marked)?))
        .await?;
    Ok(Scrubbed {
        total_blobs: blobs.cast_unsigned(),
        total_bytes: bytes.cast_unsigned(),
        ..Scrubbed::default()
    })
}

/// A scrub under way.
struct Scrub<'a, P> {
    core: &'a Core,
    options: Options,
    state: Scrubbed,
    pace: Pace,
    progress: P,
}

impl<P: FnMut(&Scrubbed)> Scrub<'_, P> {
    /// Takes one step; returns whether there is another.
    async fn step(&mut self) -> Result<bool> {
        self.state.at = match self.state.at.clone() {
            Position::Blobs(domain, digest) => match self.blobs((domain, digest)).await? {
                Some((domain, digest)) => Position::Blobs(domain, digest),
                None => Position::Images(Vec::new(), Vec::new()),
            },
            Position::Images(incarnation, digest) => {
                match self.images(Images::Live, (incarnation, digest)).await? {
                    Some((incarnation, digest)) => Position::Images(incarnation, digest),
                    None => Position::Expired(Vec::new(), Vec::new()),
                }
            }
            Position::Expired(incarnation, digest) => {
                match self.images(Images::Expired, (incarnation, digest)).await? {
                    Some((incarnation, digest)) => Position::Expired(incarnation, digest),
                    None => return Ok(false),
                }
            }
        };
        Ok(true)
    }

    /// Reads the next blobs; returns the key of the last.
    async fn blobs(&mut self, after: (Vec<u8>, Vec<u8>)) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let marked = self.options.marked;
        let limit = if marked {
            ROWS_PER_STEP
        } else {
            BLOBS_PER_STEP
        };
        let blobs = self
            .core
            .meta
            .read(move |tx| Ok::<_, Error>(scrub::blobs(tx, (&after.0, &after.1), limit)?))
            .await?;
        for blob in blobs.iter().filter(|blob| blob.damaged || !marked) {
            self.check_blob(blob).await?;
            self.state.blobs += 1;
            (self.progress)(&self.state);
        }
        let key = |blob: &ScrubBlob| (blob.domain.as_bytes().to_vec(), blob.digest.to_key());
        Ok(blobs.last().map(key))
    }

    async fn check_blob(&mut self, found: &ScrubBlob) -> Result<()> {
        let (domain, digest, content) = (found.domain, found.digest, found.content);
        let read = self.read_blob(found).await;
        let problem = match &read {
            Ok(None) => return self.mend(found).await,
            Ok(Some(problem)) => problem.clone(),
            Err(error) => causes(error),
        };
        let differs = read.is_ok();
        let damaged = self
            .core
            .meta
            .write(Durability::Durable, move |tx| {
                // A read that failed for what the bytes are has marked the blob.
                Ok::<_, Error>(if differs {
                    blob::damage(tx, domain, &digest, content)?.then_some(true)
                } else {
                    blob::is_damaged(tx, domain, &digest, content)?
                })
            })
            .await?;
        let problem = match damaged {
            Some(true) => problem,
            // The store could not be read just now.
            Some(false) => format!("unreadable: {problem}"),
            // It was collected meanwhile, or replaced by a new upload.
            None => return Ok(()),
        };
        let outcome = if matches!(read, Err(Error::Unavailable)) {
            Outcome::Failed("the store is not available".to_owned())
        } else {
            repair(
                self.core,
                self.options.spares.as_mut(),
                Damaged::Blob(found),
            )
            .await?
        };
        let needed = self
            .core
            .meta
            .read(move |tx| Ok::<_, Error>(lost::users(tx, domain, &digest)?))
            .await?;
        let images = needed.iter().map(NeededBy::to_string).collect();
        self.tell(found.digest.to_string(), problem, images, outcome);
        Ok(())
    }

    fn tell(&mut self, digest: String, problem: String, images: Vec<String>, outcome: Outcome) {
        match outcome {
            Outcome::Repaired(from) => self.state.repair(Repair {
                digest,
                problem,
                from,
            }),
            Outcome::Failed(not_repaired) => self.state.find(Finding {
                digest,
                problem,
                not_repaired,
                images,
            }),
            Outcome::Replaced => {}
        }
    }

    /// Reads a blob; says what is wrong with it.
    async fn read_blob(&mut self, found: &ScrubBlob) -> Result<Option<String>> {
        let core = self.core;
        let keys = core
            .keys
            .domain(&core.meta, found.registry, found.domain)
            .await?;
        let mut download = open(core, keys, found.digest, found.content, 0..found.size).await?;
        let mut hash = UploadHash::new(Some(found.digest.algorithm()));
        while let Some(bytes) = download.next().await {
            let bytes = bytes?;
            hash.update(&bytes);
            self.state.bytes += bytes.len() as u64;
            self.pace.wait(bytes.len()).await;
        }
        let (sha256, other) = hash.finish();
        let same = found.digest == sha256 || other == Some(found.digest);
        Ok((!same).then(|| format!("its bytes have the digest {sha256}")))
    }

    /// Lifts the mark of a blob that reads well.
    async fn mend(&mut self, found: &ScrubBlob) -> Result<()> {
        if !found.damaged {
            return Ok(());
        }
        let (domain, digest, content) = (found.domain, found.digest, found.content);
        let mended = self
            .core
            .meta
            .write(Durability::Durable, move |tx| {
                Ok::<_, Error>(blob::mend(tx, domain, &digest, content)?)
            })
            .await?;
        self.state.repaired += u64::from(mended);
        Ok(())
    }

    /// Opens the manifests of the next images; returns the key of the last.
    async fn images(
        &mut self,
        of: Images,
        after: (Vec<u8>, Vec<u8>),
    ) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let images = self
            .core
            .meta
            .read(move |tx| {
                Ok::<_, Error>(scrub::images(
                    tx,
                    of,
                    (&after.0, &after.1),
                    IMAGES_PER_STEP,
                )?)
            })
            .await?;
        for image in &images {
            self.check_image(of, image).await?;
            self.state.images += 1;
        }
        (self.progress)(&self.state);
        let key =
            |image: &ScrubImage| (image.incarnation.as_bytes().to_vec(), image.digest.to_key());
        Ok(images.last().map(key))
    }

    async fn check_image(&mut self, of: Images, image: &ScrubImage) -> Result<()> {
        let core = self.core;
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
        let damaged = Damaged::Manifest(of, image);
        let outcome = repair(core, self.options.spares.as_mut(), damaged).await?;
        let digest = image.digest.to_string();
        let named = NeededBy {
            kind: image.registry.kind().as_str().to_owned(),
            account: image.registry.account().as_str().to_owned(),
            region: image.registry.region().as_str().to_owned(),
            repository: image.repository.clone(),
            digest: digest.clone(),
            tags: Vec::new(),
            expired: of == Images::Expired,
        };
        self.tell(digest, problem, vec![named.to_string()], outcome);
        Ok(())
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

//! What came of a command, for people and for machines.

use std::{
    io::{self, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::bail;
use serde::Serialize;

use crate::account::print;

/// How many failures are told one by one.
const TOLD: usize = 1000;
/// How many characters of a name or reason are told.
const LONGEST: usize = 10_000;

/// What was done, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// Repositories looked at.
    pub(crate) repositories: u64,
    /// What was brought.
    pub(crate) brought: Counts,
    /// What was there already, or compared.
    pub(crate) present: Counts,
    /// Blobs that came from another repository of the target, without their bytes.
    pub(crate) mounted: u64,
    /// Bytes of blobs that were read from the source.
    pub(crate) bytes: u64,
    /// Manifests that an index names and that the source has not, where that was allowed.
    pub(crate) absent: u64,
    /// How many images or repositories are not, or not wholly, where they should be.
    pub(crate) failures: u64,
    /// The first thousand of those.
    pub(crate) failed: Vec<Failure>,
}

/// Numbers of things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Manifests: images, indexes, artifacts.
    pub(crate) images: u64,
    /// Tags.
    pub(crate) tags: u64,
    /// Layers and configurations.
    pub(crate) blobs: u64,
}

/// Something that is not where it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Failure {
    /// The repository, by its name at the source.
    pub(crate) repository: String,
    /// The tag or digest; empty for the whole repository.
    pub(crate) image: String,
    /// Why.
    pub(crate) reason: String,
}

impl Failure {
    fn line(&self) -> String {
        let Self {
            repository,
            image,
            reason,
        } = self;
        let joint = match image.as_str() {
            "" => "",
            image if image.contains(':') => "@",
            _ => ":",
        };
        format!("failed: {repository}{joint}{image}: {reason}")
    }
}

/// A text of another server's making, as it is told: not endless, and without what a terminal takes for a command.
fn bounded(text: &str) -> String {
    let plain = |char: char| if char.is_control() { '\u{fffd}' } else { char };
    text.chars().take(LONGEST).map(plain).collect()
}

/// A report in the making.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Report>);

impl Tally {
    /// Changes the numbers.
    pub(crate) fn count(&self, change: impl FnOnce(&mut Report)) {
        change(&mut self.lock());
    }

    /// Notes a failure.
    pub(crate) fn fail(&self, repository: &str, image: &str, reason: &anyhow::Error) {
        self.lock().fail(repository, image, &format!("{reason:#}"));
    }

    /// The report.
    pub(crate) fn report(&self) -> Report {
        let mut report = self.lock().clone();
        report.failed.sort();
        report
    }

    fn lock(&self) -> MutexGuard<'_, Report> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Report {
    /// Notes a failure.
    pub(crate) fn fail(&mut self, repository: &str, image: &str, reason: &str) {
        self.failures += 1;
        if self.failed.len() < TOLD {
            self.failed.push(Failure {
                repository: bounded(repository),
                image: bounded(image),
                reason: bounded(reason),
            });
        }
    }

    /// Prints the report; on standard error, if standard output is taken.
    pub(crate) fn tell(&self, verb: &str, json: bool, to_stderr: bool) -> anyhow::Result<()> {
        let text = if json {
            format!("{}\n", serde_json::to_string(self)?)
        } else {
            self.text(verb)
        };
        if to_stderr {
            return Ok(io::stderr().lock().write_all(text.as_bytes())?);
        }
        print(&text)
    }

    /// The report for people; `verb` is what was done.
    fn text(&self, verb: &str) -> String {
        let Self {
            brought, present, ..
        } = self;
        let mut lines = vec![format!(
            "{verb} {} repositories: {} images, {} tags, {} blobs ({} bytes), {} mounted; \
             {} images, {} tags and {} blobs were there",
            self.repositories,
            brought.images,
            brought.tags,
            brought.blobs,
            self.bytes,
            self.mounted,
            present.images,
            present.tags,
            present.blobs
        )];
        if self.absent > 0 {
            let absent = self.absent;
            lines.push(format!(
                "{absent} manifests that indexes name are not at the source"
            ));
        }
        lines.extend(self.failed.iter().map(Failure::line));
        lines.join("\n") + "\n"
    }

    /// Fails if anything is not where it should be.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        match self.failures {
            0 => Ok(()),
            1 => bail!("one image or repository is not, or not wholly, where it should be"),
            more => {
                bail!("{more} images or repositories are not, or not wholly, where they should be")
            }
        }
    }
}

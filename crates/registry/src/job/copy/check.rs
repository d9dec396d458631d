//! The comparison: the target has what the source has and nothing else, but for what has changed since the copy began, and every
//! manifest opens and has its digest.

use std::collections::BTreeSet;

use longshore_store::meta::Tx;
use longshore_types::digest::Digest;

use super::{Work, advance};
use crate::{
    core::Core,
    error::{Error, Result},
    storage::{copy as rules, image::digest_of, manifest},
    table::{
        repository::Repository,
        repository_copy::{
            Phase, RepositoryCopy,
            change::{self, Kind},
            compare, content,
        },
    },
};

const IMAGES: i64 = 100;
const TAGS: i64 = 1000;

/// Where a comparison came to: the last key, if there is more, and what differs without having changed.
struct Compared {
    next: Option<Vec<u8>>,
    differing: Vec<Vec<u8>>,
}

/// Compares the next images, and reads the manifests of the target's.
pub(super) async fn images(work: Work<'_, '_>) -> Result<()> {
    let core = work.cx.core;
    let copy = work.copy.clone();
    let (compared, here) = core.meta.read(move |tx| compare_images(tx, &copy)).await?;
    for image in here {
        check_manifest(core, &work.target, image).await?;
    }
    conclude(core, work.copy, compared, Phase::CheckTags).await
}

/// Compares the next tags.
pub(super) async fn tags(work: Work<'_, '_>) -> Result<()> {
    let core = work.cx.core;
    let copy = work.copy.clone();
    let compared = core.meta.read(move |tx| compare_tags(tx, &copy)).await?;
    conclude(core, work.copy, compared, Phase::Changes).await
}

fn compare_images(tx: &mut dyn Tx, copy: &RepositoryCopy) -> Result<(Compared, Vec<Digest>)> {
    let after = copy.cursor.as_slice();
    let source = compare::images(tx, copy.source, (after, &compare::LAST_IMAGE), IMAGES)?;
    let next = last(&source, IMAGES).map(|image| image.digest.to_key());
    let until = next.clone().unwrap_or(compare::LAST_IMAGE.to_vec());
    let target = compare::images(tx, copy.target, (after, &until), 2 * IMAGES)?;
    let here = target.iter().map(|image| image.digest).collect();
    let differing = differing(&source, &target, |image| image.digest.to_key());
    let differing = unexplained(tx, copy, Kind::Image, differing)?;
    Ok((Compared { next, differing }, here))
}

fn compare_tags(tx: &mut dyn Tx, copy: &RepositoryCopy) -> Result<Compared> {
    let after = std::str::from_utf8(&copy.cursor).map_err(Error::internal)?;
    let source = compare::tags(tx, copy.source, (after, compare::LAST_TAG), TAGS)?;
    let next = last(&source, TAGS).map(|(name, ..)| name.clone());
    let until = next.as_deref().unwrap_or(compare::LAST_TAG);
    let target = compare::tags(tx, copy.target, (after, until), 2 * TAGS)?;
    let differing = differing(&source, &target, |(name, ..)| name.as_bytes().to_vec());
    Ok(Compared {
        differing: unexplained(tx, copy, Kind::Tag, differing)?,
        next: next.map(String::into_bytes),
    })
}

/// The last of a full page; after another, there is no more.
fn last<T>(page: &[T], size: i64) -> Option<&T> {
    page.last()
        .filter(|_| i64::try_from(page.len()) == Ok(size))
}

/// The keys of what is not the same on both sides.
fn differing<T: PartialEq>(
    source: &[T],
    target: &[T],
    key: impl Fn(&T) -> Vec<u8>,
) -> BTreeSet<Vec<u8>> {
    let lacking = |one: &[T], other: &[T]| -> Vec<Vec<u8>> {
        let mut other = other.iter().peekable();
        let mut keys = Vec::new();
        for item in one {
            while other.next_if(|theirs| key(theirs) < key(item)).is_some() {}
            if other.next_if(|theirs| *theirs == item).is_none() {
                keys.push(key(item));
            }
        }
        keys
    };
    let mut keys: BTreeSet<Vec<u8>> = lacking(source, target).into_iter().collect();
    keys.extend(lacking(target, source));
    keys
}

fn unexplained(
    tx: &mut dyn Tx,
    copy: &RepositoryCopy,
    kind: Kind,
    differing: BTreeSet<Vec<u8>>,
) -> Result<Vec<Vec<u8>>> {
    let mut unexplained = Vec::new();
    for key in differing {
        if !change::is_noted(tx, copy.id, kind, &key)? {
            unexplained.push(key);
        }
    }
    Ok(unexplained)
}

async fn check_manifest(core: &Core, target: &Repository, image: Digest) -> Result<()> {
    let incarnation = target.incarnation;
    let sealed = core
        .meta
        .read(move |tx| Ok::<_, Error>(content::manifest(tx, incarnation, &image)?))
        .await?;
    let keys = core
        .keys
        .domain(&core.meta, target.registry, target.domain)
        .await?;
    let Some(sealed) = sealed else {
        return Ok(());
    };
    if digest_of(&manifest::open(&keys, &image, &sealed)?) == image {
        Ok(())
    } else {
        Err(Error::internal(
            "a manifest has another digest than its row says",
        ))
    }
}

/// Goes on, or ends a copy that is not one.
async fn conclude(
    core: &Core,
    copy: RepositoryCopy,
    compared: Compared,
    then: Phase,
) -> Result<()> {
    advance(core, copy, move |tx, copy| {
        if !compared.differing.is_empty() {
            let count = compared.differing.len();
            tracing::error!(copy.id = %copy.id, count, "a repository's copy differs from it");
            let failure = "The copy differs from the repository and was given up".to_owned();
            return rules::end(tx, copy, Phase::Failed, Some(failure));
        }
        match &compared.next {
            Some(next) => copy.cursor.clone_from(next),
            None => copy.enter(then),
        }
        Ok(())
    })
    .await
}

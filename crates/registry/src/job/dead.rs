//! Removes what a deleted repository leaves, in small steps: uploads, images, links, tags, and at last its row.

use longshore_store::meta::{Durability, Tx};
use longshore_types::{
    digest::Digest,
    id::{DomainId, Incarnation},
};

use super::Swept;
use crate::{
    core::Core,
    error::{Error, Result},
    storage::{image as rules, upload as uploads},
    table::{catalog, expired, image, lifecycle, link, repository, repository_tag, tag, upload},
};

const PER_STEP: i64 = 100;

/// Takes one step with the oldest dead repository.
pub async fn tick(core: &Core) -> Result<Swept> {
    core.meta
        .write(Durability::Soft, |tx| {
            let Some(incarnation) = repository::dead(tx, 1)?.pop() else {
                return Ok(Swept::default());
            };
            let incarnation = Incarnation::from_slice(&incarnation).map_err(Error::internal)?;
            let done = step(tx, incarnation)?;
            Ok(Swept { done, more: true })
        })
        .await
}

fn step(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<usize> {
    for remove in [
        remove_uploads,
        remove_images,
        remove_expired,
        remove_links,
        remove_subjects,
    ] {
        let removed = remove(tx, incarnation)?;
        if removed > 0 {
            return Ok(removed);
        }
    }
    lifecycle::policy::remove(tx, incarnation)?;
    lifecycle::evaluation::end_all(tx, incarnation)?;
    repository_tag::clear(tx, incarnation)?;
    catalog::clear(tx, incarnation)?;
    repository::bury(tx, incarnation)?;
    Ok(1)
}

fn remove_uploads(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<usize> {
    let open = upload::of_dead(tx, incarnation, PER_STEP)?;
    for upload in &open {
        uploads::discard(tx, incarnation, upload.id, upload.received)?;
    }
    Ok(open.len())
}

fn remove_images(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<usize> {
    let images = image::of_dead(tx, incarnation, PER_STEP)?;
    for key in &images {
        let digest = Digest::from_key(key).map_err(Error::internal)?;
        let tags = tag::of_image(tx, incarnation, &digest, rules::TAGS_PER_TRANSACTION)?;
        if i64::try_from(tags.len()) == Ok(rules::TAGS_PER_TRANSACTION) {
            return rules::remove_tags(tx, incarnation, &tags);
        }
        tag::remove_all(tx, incarnation, &digest)?;
        image::remove(tx, incarnation, &digest)?;
    }
    Ok(images.len())
}

fn remove_expired(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<usize> {
    let images = expired::of_dead(tx, incarnation, PER_STEP)?;
    for digest in &images {
        expired::forget(tx, incarnation, digest)?;
    }
    Ok(images.len())
}

/// A dead repository keeps no promise: its links go at once.
fn remove_links(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<usize> {
    let links = link::of_dead(tx, incarnation, PER_STEP)?;
    for (digest, domain) in &links {
        let digest = Digest::from_key(digest).map_err(Error::internal)?;
        let domain = DomainId::from_slice(domain).map_err(Error::internal)?;
        link::remove(tx, incarnation.as_bytes(), domain, &digest)?;
    }
    Ok(links.len())
}

fn remove_subjects(tx: &mut dyn Tx, incarnation: Incarnation) -> Result<usize> {
    let removed = lifecycle::subject::clear(tx, incarnation, PER_STEP)?;
    usize::try_from(removed).map_err(Error::internal)
}

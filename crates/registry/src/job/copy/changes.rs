//! What has changed in the source since the copy began, and the end: the transaction that makes up for the last change.

use std::{collections::BTreeMap, time::Duration};

use longshore_store::meta::{Durability, Tx};
use longshore_types::digest::Digest;

use super::{
    Work,
    images::{self, Ready},
};
use crate::{
    authz,
    error::{Error, Result},
    storage::{copy as rules, image::remove_tags},
    table::{
        image, link, repository,
        repository_copy::{
            self as table, Kind, Phase, RepositoryCopy,
            change::{self, Kind as Changed},
            content, target,
        },
        repository_tag, tag,
    },
};

/// How many changed images one step makes up for.
const IMAGES: i64 = 100;
/// How many rows one step writes, but for the last image's.
const ROWS: u64 = 3000;
/// How many changed tags.
const TAGS: i64 = 1000;
/// How long a copy waits that cannot make up for anything just now.
const PAUSE: Duration = Duration::from_secs(1);

/// What one step knows before its transaction.
#[derive(Clone)]
struct Step {
    copy: RepositoryCopy,
    within_domain: bool,
    /// Images that the target lacks, by digest.
    ready: BTreeMap<Digest, Ready>,
    /// The resource tags that the permit was asked with.
    tags: Vec<(String, String)>,
}

/// Makes up for some changes; once there are none, ends the copy.
pub(super) async fn step(work: Work<'_, '_>) -> Result<()> {
    let copy = work.copy.clone();
    let lacking = work.cx.core.meta.read(move |tx| lacking(tx, &copy)).await?;
    let ready = images::ready(&work, &lacking).await?;
    let step = Step {
        within_domain: work.is_within_domain(),
        ready: ready.into_iter().map(|one| (one.image, one)).collect(),
        tags: work.tags,
        copy: work.copy,
    };
    let moved = work
        .cx
        .change_all(work.grants, Durability::Durable, move |tx, _| step.take(tx))
        .await?;
    if moved {
        let (registry, name) = (&work.source.registry, &work.source.name);
        work.cx.core.targets.forget(registry, name);
    }
    Ok(())
}

/// The changed images that are to be copied.
fn lacking(tx: &mut dyn Tx, copy: &RepositoryCopy) -> Result<Vec<Digest>> {
    let mut lacking = Vec::new();
    for image in changed_images(tx, copy)? {
        if content::has_image(tx, copy.source, &image)? {
            lacking.push(image);
        }
    }
    Ok(lacking)
}

fn changed_images(tx: &mut dyn Tx, copy: &RepositoryCopy) -> Result<Vec<Digest>> {
    let keys = change::page(tx, copy.id, Changed::Image, IMAGES)?;
    let digest = |key: Vec<u8>| Digest::from_key(&key).map_err(Error::internal);
    keys.into_iter().map(digest).collect()
}

impl Step {
    /// Returns whether the source has gone by this.
    fn take(&self, tx: &mut dyn Tx) -> Result<bool> {
        let mut copy = self.copy.clone();
        // Whoever is writing commits before this or finds it done; nobody notes a change while it is being made up for.
        if !target::hold(tx, copy.source)? {
            return Err(authz::not_found(&copy.from.name, &copy.from.registry));
        }
        if target::unborn(tx, copy.target)?.is_none() || !table::claim(tx, &copy)? {
            return Ok(false);
        }
        copy.failures = 0;
        copy.due = tx.now();
        let made_up = self.images(tx, &mut copy)? + tags(tx, &copy)?;
        let is_settled = repository_tag::all(tx, copy.source)? == self.tags;
        if is_settled && !change::any(tx, copy.id)? {
            return finish(tx, copy);
        }
        if made_up == 0 && is_settled {
            copy.due = tx.now().plus(PAUSE);
        }
        table::save(tx, &copy)?;
        Ok(false)
    }

    /// Makes up for changed images; returns for how many.
    fn images(&self, tx: &mut dyn Tx, copy: &mut RepositoryCopy) -> Result<usize> {
        let (mut made_up, mut rows) = (0, 0);
        for image in changed_images(tx, copy)? {
            if rows > ROWS {
                break;
            }
            let Some(more) = self.image(tx, copy, &image)? else {
                continue;
            };
            rows += more;
            change::remove(tx, copy.id, Changed::Image, &image.to_key())?;
            made_up += 1;
        }
        Ok(made_up)
    }

    /// Makes one image what it is in the source; returns how many rows that took, or nothing when that cannot be done now.
    fn image(
        &self,
        tx: &mut dyn Tx,
        copy: &mut RepositoryCopy,
        image: &Digest,
    ) -> Result<Option<u64>> {
        if !content::has_image(tx, copy.source, image)? {
            return remove(tx, copy, image);
        }
        let is_new = !content::has_image(tx, copy.target, image)?;
        let ready = self.ready.get(image);
        let sealed = ready.and_then(|ready| ready.sealed.as_deref());
        if is_new && !self.within_domain && sealed.is_none() {
            return Ok(None);
        }
        let put = images::put(tx, copy.pair(), self.within_domain, image, sealed)?;
        copy.images += i64::from(is_new && put.is_some());
        Ok(put)
    }
}

/// Removes an image that the source has no more.
fn remove(tx: &mut dyn Tx, copy: &mut RepositoryCopy, image: &Digest) -> Result<Option<u64>> {
    if !content::has_image(tx, copy.target, image)? {
        return Ok(Some(0));
    }
    let tags = tag::of_image(tx, copy.target, image, TAGS)?;
    let removed = remove_tags(tx, copy.target, &tags)?;
    if i64::try_from(removed) == Ok(TAGS) {
        return Ok(None);
    }
    link::let_go(tx, copy.target, image)?;
    image::remove(tx, copy.target, image)?;
    copy.images -= 1;
    Ok(Some(u64::try_from(removed).map_err(Error::internal)?))
}

/// Makes up for changed tags, once no image stands before them; returns for how many.
fn tags(tx: &mut dyn Tx, copy: &RepositoryCopy) -> Result<usize> {
    let mut made_up = 0;
    for name in change::page(tx, copy.id, Changed::Tag, TAGS)? {
        let text = std::str::from_utf8(&name).map_err(Error::internal)?;
        if content::put_tag(tx, copy.pair(), text)? {
            change::remove(tx, copy.id, Changed::Tag, &name)?;
            made_up += 1;
        }
    }
    Ok(made_up)
}

/// Lets the target be born, with all that the source has by now. Returns whether the source has gone by this.
fn finish(tx: &mut dyn Tx, mut copy: RepositoryCopy) -> Result<bool> {
    if target::is_taken(tx, &copy.to)? {
        return Err(Error::RepositoryAlreadyExists {
            name: copy.to.name.clone(),
            account: copy.to.registry.account(),
        });
    }
    let moves = copy.kind == Kind::Move;
    content::put_settings(tx, copy.pair())?;
    target::bear(tx, copy.pair(), moves)?;
    if moves {
        repository::kill(tx, copy.source)?;
    }
    rules::end(tx, &mut copy, Phase::Complete, None)?;
    Ok(moves)
}

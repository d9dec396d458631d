//! Moves blobs between the stores, one stretch at a time.
//!
//! The copies hang on a content of their own, as an upload's pieces do, and each is recorded as doomed before it exists.
//! Once they are all there, one transaction makes them the blob's content and dooms the old one, which pulls that have
//! begun still read for a day. Whatever ends a move before that leaves the blob as it was; another server, or the next
//! start, goes on after the last stretch.

use std::time::Duration;

use longshore_store::meta::{Durability, Tx};
use longshore_types::id::ContentId;

use super::copy::{self, Copied};
use crate::{
    core::Core,
    error::{Error, Result},
    job::Swept,
    storage::receive::release,
    table::{
        blob::{self, Kept},
        doomed,
        relocation::{self, Place, Progress, Relocation},
        segment,
    },
};

/// How long a server that copies a stretch keeps others from copying it too. If one does, the second to end loses.
const LEASE: Duration = Duration::from_mins(5);
/// How long a blob waits whose move has failed.
const RETRY: Duration = Duration::from_mins(1);

/// A stretch to copy.
#[derive(Clone, Debug)]
pub(super) struct Move {
    pub(super) of: Relocation,
    pub(super) progress: Progress,
    pub(super) blob: Kept,
}

/// Copies one stretch of the blob that is due first, or finds that it lies where it should. Without an archive store
/// there is nowhere to go, and what waits for one waits.
pub(super) async fn tick(core: &Core) -> Result<Swept> {
    let Some(archive) = core.blobs.archive_id() else {
        return Ok(Swept::default());
    };
    let nothing = core
        .meta
        .read(|tx| Ok::<_, Error>(!relocation::any_due(tx)?))
        .await?;
    if nothing {
        return Ok(Swept::default());
    }
    let stores = (core.blobs.store_id(), archive);
    let fresh = ContentId::from_uuid(core.fresh());
    let found = core
        .meta
        .write(Durability::Soft, move |tx| take(tx, stores, fresh))
        .await?;
    if let Some(found) = found {
        let moved = go_on(core, &found).await;
        if let Err(error) = moved {
            put_off(core, &found).await?;
            return Err(error);
        }
    }
    Ok(Swept {
        done: 1,
        more: true,
    })
}

/// Takes the blob that is due first, and what is to be copied of it, unless it lies where it belongs.
fn take(
    tx: &mut dyn Tx,
    (standard, archive): (u32, u32),
    fresh: ContentId,
) -> Result<Option<Move>> {
    let until = tx.now().plus(LEASE);
    let Some(mut of) = relocation::claim(tx, until)? else {
        return Ok(None);
    };
    let kept = blob::kept(tx, of.domain, &of.digest)?;
    let blob = kept.ok_or_else(|| Error::internal("a blob to be moved is not there"))?;
    let store = match destination(tx, &of, &blob)? {
        None => return Ok(relocation::forget(tx, &of).map(|()| None)?),
        Some(Place::Archive) => archive,
        Some(_) => standard,
    };
    let is_of_it = |progress: &Progress| progress.source == blob.content && progress.store == store;
    let progress = if let Some(progress) = of.progress.take_if(|progress| is_of_it(progress)) {
        progress
    } else {
        let progress = Progress {
            source: blob.content,
            target: fresh,
            store,
            copied: 0,
            hash: None,
        };
        relocation::begin(tx, &of, &progress)?;
        progress
    };
    let found = Move { of, progress, blob };
    if found.progress.copied == found.blob.size {
        // It was all there when the blob was not to be moved for a moment.
        return finish(tx, &found).map(|()| None);
    }
    Ok(Some(found))
}

/// Where a blob is to be moved, if anywhere: bytes that are damaged or kept in the metadata are not.
fn destination(tx: &mut dyn Tx, of: &Relocation, blob: &Kept) -> Result<Option<Place>> {
    if blob.is_damaged || blob.segments == 0 {
        return Ok(None);
    }
    let place = relocation::place(tx, of.domain.as_bytes(), &of.digest)?;
    Ok(match place {
        Place::Archive if !blob.is_archived => Some(place),
        Place::Standard if blob.is_archived => Some(place),
        _ => None,
    })
}

async fn go_on(core: &Core, found: &Move) -> Result<()> {
    let copied = copy::stretch(core, found).await?;
    let physical = (copied.segment.store, copied.segment.physical_id);
    let found = found.clone();
    let admitted = core
        .meta
        .write(Durability::Durable, move |tx| admit(tx, &found, &copied))
        .await;
    if !matches!(admitted, Ok(true)) {
        // Nothing comes of this if it was admitted after all.
        release(core, physical).await;
    }
    admitted.map(drop)
}

/// Hangs a copy on the target, and with the last one makes that the blob's content; returns whether it did, which it does
/// not if somebody else has gone on with the move or ended it.
fn admit(tx: &mut dyn Tx, found: &Move, copied: &Copied) -> Result<bool> {
    let Move { of, progress, blob } = found;
    if !relocation::advance(tx, of, progress, copied.end, &copied.hash)? {
        return Ok(false);
    }
    if tx.now() > copied.seals_until || !doomed::claim(tx, copied.segment.physical_id)? {
        return Err(Error::internal("a segment took too long to copy"));
    }
    segment::insert(tx, progress.target, &copied.segment)?;
    if copied.end == blob.size {
        finish(tx, found)?;
    }
    Ok(true)
}

fn finish(tx: &mut dyn Tx, found: &Move) -> Result<()> {
    let Move { of, progress, blob } = found;
    // It may be wanted where it was by now, or be another content: then the next look drops the copies.
    if destination(tx, of, blob)?.is_none() {
        return Ok(());
    }
    let contents = (progress.source, progress.target);
    if blob::swap(tx, (of.domain, &of.digest), contents, !blob.is_archived)? {
        relocation::end(tx, of)?;
        tracing::info!(blob.digest = %of.digest, blob.bytes = blob.size, store = progress.store, "a blob was moved to another store");
    }
    Ok(())
}

/// Looks at it again after a while, unless it is in the queue anew.
async fn put_off(core: &Core, found: &Move) -> Result<()> {
    let (domain, digest) = (found.of.domain, found.of.digest);
    core.meta
        .write(Durability::Soft, move |tx| {
            let due = tx.now().plus(RETRY);
            Ok(relocation::put_off(tx, domain, &digest, due)?)
        })
        .await
}

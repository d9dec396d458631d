//! One layer, from one encryption domain to another: read as a pull reads it, written as a push writes it.

use longshore_store::{hash::UploadHash, meta::Durability};
use longshore_types::{
    digest::{Algorithm, Digest},
    id::UploadId,
    time::Timestamp,
};

use super::Work;
use crate::{
    error::{Error, Result},
    quota::UploadLimits,
    storage::{
        admit::Admission,
        blob,
        receive::{self, Received, Target},
        upload::matching,
    },
    table::{
        blob::HeldBy,
        repository_copy::{self, target},
    },
};

/// Writes a layer of the source for the target, whatever else the target's domain has; its digest is checked. Returns its size.
pub(super) async fn copy(work: &Work<'_, '_>, layer: Digest) -> Result<u64> {
    let (cx, grant) = (work.cx, work.grant()?);
    let opened = blob::find_held(cx, grant, layer, HeldBy::Any).await;
    let opened = opened.map_err(|error| unreadable(work, layer, error))?;
    let size = opened.size();
    let mut download = blob::read(cx, grant, opened, 0..size).await?;
    let to = &work.target;
    let keys = cx
        .core
        .keys
        .domain(&cx.core.meta, to.registry, to.domain)
        .await?;
    let upload = UploadId::from_uuid(cx.core.fresh());
    let sha512 = (layer.algorithm() == Algorithm::Sha512).then_some(Algorithm::Sha512);
    let into = Target {
        upload,
        start: 0,
        most: UploadLimits::NONE.bytes,
        keys: &keys,
        hash: UploadHash::new(sha512),
    };
    let received = receive::own(cx.core, cx.core.blobs.store_id(), into, &mut download).await?;
    let admitted = admit(work, upload, &received, layer, keys.seals_until()).await;
    if admitted.is_err() {
        receive::forget(cx.core, received.piece.as_ref()).await;
    }
    admitted.map(|()| size)
}

/// A layer that an image names and that cannot be read is damaged.
fn unreadable(work: &Work<'_, '_>, layer: Digest, error: Error) -> Error {
    match error {
        Error::BlobUnknown => Error::LayerNotFound {
            digest: layer.to_string(),
            name: work.source.name.clone(),
            account: work.source.registry.account(),
        },
        error => error,
    }
}

async fn admit(
    work: &Work<'_, '_>,
    upload: UploadId,
    received: &Received,
    layer: Digest,
    seals_until: Timestamp,
) -> Result<()> {
    if matching(received.hash.clone(), &[layer]).is_none() {
        return Err(Error::internal(
            "a layer has another digest than its row says",
        ));
    }
    let admission = Admission {
        upload,
        start: 0,
        bytes: received.bytes,
        piece: received.piece.clone(),
        // A layer that is here was small enough when it came.
        limits: UploadLimits::NONE,
        seals_until,
    };
    let (id, incarnation) = (work.copy.id, work.copy.target);
    work.cx
        .core
        .meta
        .write(Durability::Durable, move |tx| {
            let target = target::unborn(tx, incarnation)?.ok_or(Error::Stale)?;
            admission.whole_in(tx, &target, &layer)?;
            Ok(repository_copy::add_bytes(tx, id, admission.bytes)?)
        })
        .await
}

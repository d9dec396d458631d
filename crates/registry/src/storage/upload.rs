//! Uploads: beginning, appending, closing.

use std::sync::Arc;

use bytes::Bytes;
use longshore_store::{crypto::DomainKeys, hash::UploadHash, meta::Durability};
use longshore_types::{
    digest::{Algorithm, Digest},
    id::UploadId,
};

use super::{
    admit::{Admission, Closed},
    content_of,
    receive::{self, Head, Received, Target},
    upload_hash_aad,
};
use crate::{
    authz::Grant,
    body::Body,
    cx::Cx,
    error::{Error, Result},
    quota::UploadLimits,
    table::upload::{self, Beginning, Upload},
};

/// The least size of an API part that is not the last: 5 MiB (`behaviour.md` section 6).
pub(crate) const MIN_PART_BYTES: i64 = 5 * 1024 * 1024;

/// Begins an upload. `sha512` tells that the digest will be a SHA-512.
pub(crate) async fn begin(cx: &Cx<'_>, grant: &Grant, sha512: bool) -> Result<UploadId> {
    let id = UploadId::from_uuid(cx.core.fresh());
    let slots = cx.core.settings.open_uploads;
    let upload = Beginning {
        id,
        sha512,
        principal: cx.caller.id().to_owned(),
    };
    cx.write(grant, Durability::Soft, move |tx, grant| {
        let incarnation = grant.repository()?.incarnation;
        if upload::insert(tx, incarnation, &upload, slots.get())? {
            Ok(id)
        } else {
            Err(Error::TooManyUploads(slots))
        }
    })
    .await
}

/// Returns how an upload stands.
pub(crate) async fn find(cx: &Cx<'_>, grant: &Grant, id: UploadId) -> Result<Upload> {
    let found = cx
        .query(grant, move |tx, grant| upload::find(tx, grant, id))
        .await?;
    found.ok_or_else(|| not_found(grant, &id.to_string()))
}

/// Where the client says that its body starts and ends, if it says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announced {
    pub(crate) first: u64,
    pub(crate) length: u64,
}

/// Appends a body. Returns how the upload stands after it.
pub(crate) async fn append(
    cx: &Cx<'_>,
    grant: &Grant,
    id: UploadId,
    at: Option<Announced>,
    part: bool,
    body: &mut dyn Body,
) -> Result<Upload> {
    let before = find(cx, grant, id).await?;
    check_start(grant, &before, at)?;
    let head = receive::peek(body, before.inline_bytes).await?;
    let keys = cx.core.domain_keys(grant).await?;
    let received = receive_after(cx, grant, &before, &keys, at, head, body).await?;
    let state = keys
        .seal(&upload_hash_aad(id.as_bytes()), &received.hash.save())
        .map_err(Error::internal)?;
    let admission = admission(cx, grant, id, before.received, &received, &keys);
    let admitted = cx
        .write(grant, Durability::Soft, move |tx, grant| {
            admission.append(tx, grant, &before, part, state.clone())
        })
        .await;
    if admitted.is_err() {
        receive::forget(cx.core, received.piece.as_ref()).await;
    }
    admitted
}

/// Closes an upload with a last body, which may be empty, as the blob that one of `digests` names.
pub(crate) async fn close(
    cx: &Cx<'_>,
    grant: &Grant,
    id: UploadId,
    at: Option<Announced>,
    digests: &[Digest],
    body: &mut dyn Body,
) -> Result<(Digest, Closed)> {
    let head = receive::peek(body, 0).await?;
    let keys = cx.core.domain_keys(grant).await?;
    if let Some(done) = close_small(cx, grant, id, at, digests, &head, &keys).await? {
        return Ok(done);
    }
    let mut before = find(cx, grant, id).await?;
    check_start(grant, &before, at)?;
    before.sha512 = before.sha512 || (before.received == 0 && wants_sha512(digests));
    let received = receive_after(cx, grant, &before, &keys, at, head, body).await?;
    let done = admit_close(cx, grant, &keys, before, &received, digests).await;
    if done.is_err() {
        receive::forget(cx.core, received.piece.as_ref()).await;
    }
    done
}

/// Closes an upload whose only body is small, in one transaction and with no look at it before; most uploads are so.
/// `None` when it is not so after all.
async fn close_small(
    cx: &Cx<'_>,
    grant: &Grant,
    id: UploadId,
    at: Option<Announced>,
    digests: &[Digest],
    head: &Head,
    keys: &Arc<DomainKeys>,
) -> Result<Option<(Digest, Closed)>> {
    if !head.is_all || at.is_some_and(|at| at.first != 0) {
        return Ok(None);
    }
    let start = fresh(id, wants_sha512(digests));
    let received = receive::inline(target(&start, keys)?, &head.pieces)?;
    let Some(digest) = matching(received.hash.clone(), digests) else {
        return Ok(None);
    };
    check_length(cx, &received, at, head.announced).await?;
    let admission = admission(cx, grant, id, 0, &received, keys);
    let closed = cx
        .write(
            grant,
            Durability::Durable,
            move |tx, grant| match upload::get(tx, grant.repository()?.incarnation, id)? {
                Some(before) if before.received == 0 && before.pieces == 0 => {
                    admission.close(tx, grant, &before, &digest).map(Some)
                }
                Some(_) => Ok(None),
                None => Err(not_found(grant, &id.to_string())),
            },
        )
        .await?;
    Ok(closed.map(|closed| (digest, closed)))
}

async fn admit_close(
    cx: &Cx<'_>,
    grant: &Grant,
    keys: &Arc<DomainKeys>,
    before: Upload,
    received: &Received,
    digests: &[Digest],
) -> Result<(Digest, Closed)> {
    let digest = match matching(received.hash.clone(), digests) {
        Some(digest) => digest,
        None if wants_sha512(digests) && !before.sha512 => {
            rehash(cx, grant, &before, received, digests).await?
        }
        None => return Err(Error::InvalidLayer),
    };
    let admission = admission(cx, grant, before.id, before.received, received, keys);
    let closed = cx
        .write(grant, Durability::Durable, move |tx, grant| {
            admission.close(tx, grant, &before, &digest)
        })
        .await?;
    Ok((digest, closed))
}

/// Uploads a blob whole, in one request.
pub(crate) async fn whole(
    cx: &Cx<'_>,
    grant: &Grant,
    digest: Digest,
    body: &mut dyn Body,
) -> Result<Closed> {
    let before = fresh(
        UploadId::from_uuid(cx.core.fresh()),
        wants_sha512(&[digest]),
    );
    let head = receive::peek(body, 0).await?;
    let keys = cx.core.domain_keys(grant).await?;
    let received = receive_after(cx, grant, &before, &keys, None, head, body).await?;
    let done = if matching(received.hash.clone(), &[digest]).is_some() {
        let admission = admission(cx, grant, before.id, 0, &received, &keys);
        cx.write(grant, Durability::Durable, move |tx, grant| {
            admission.whole(tx, grant, &digest)
        })
        .await
    } else {
        Err(Error::InvalidLayer)
    };
    if done.is_err() {
        receive::forget(cx.core, received.piece.as_ref()).await;
    }
    done
}

/// Ends an upload and dooms what it holds.
pub(crate) async fn cancel(cx: &Cx<'_>, grant: &Grant, id: UploadId) -> Result<()> {
    cx.write(grant, Durability::Soft, move |tx, grant| {
        let incarnation = grant.repository()?.incarnation;
        let Some(upload) = upload::get(tx, incarnation, id)? else {
            return Err(not_found(grant, &id.to_string()));
        };
        discard(tx, incarnation, id, upload.received).map(drop)
    })
    .await
}

/// Removes an upload that still stands at `received`, and dooms what it holds; returns whether it did.
pub(crate) fn discard(
    tx: &mut dyn longshore_store::meta::Tx,
    incarnation: longshore_types::id::Incarnation,
    id: UploadId,
    received: i64,
) -> Result<bool> {
    let removed = upload::remove(tx, incarnation, id, received)?;
    if removed {
        let now = tx.now();
        crate::table::doomed::content(tx, content_of(id).as_bytes(), now)?;
    }
    Ok(removed)
}

/// How an upload stands before anything was received.
pub(crate) fn fresh(id: UploadId, sha512: bool) -> Upload {
    Upload {
        id,
        received: 0,
        inline_bytes: 0,
        pieces: 0,
        segments: 0,
        last_part: 0,
        undersized: false,
        sha512,
        hash: None,
    }
}

/// The error for a body that starts where the upload does not stand, or whose upload is gone.
pub(crate) fn misplaced(grant: &Grant, id: UploadId, first: i64, now: Option<&Upload>) -> Error {
    match (now, grant.repository()) {
        (Some(now), Ok(repository)) => Error::InvalidLayerPart {
            first: first.cast_unsigned(),
            expected: now.received.cast_unsigned(),
            id,
            name: repository.name.clone(),
            account: repository.registry.account(),
        },
        _ => not_found(grant, &id.to_string()),
    }
}

/// The error for an upload that this repository does not have.
pub(crate) fn not_found(grant: &Grant, id: &str) -> Error {
    match grant.repository() {
        Ok(repository) => Error::UploadNotFound {
            id: id.to_owned(),
            name: repository.name.clone(),
            account: repository.registry.account(),
        },
        Err(error) => error,
    }
}

fn check_start(grant: &Grant, before: &Upload, at: Option<Announced>) -> Result<()> {
    match at {
        Some(at) if at.first != before.received.cast_unsigned() => Err(misplaced(
            grant,
            before.id,
            at.first.cast_signed(),
            Some(before),
        )),
        _ => Ok(()),
    }
}

fn target<'a>(before: &Upload, keys: &'a DomainKeys) -> Result<Target<'a>> {
    Ok(Target {
        upload: before.id,
        start: before.received,
        most: i64::MAX,
        keys,
        hash: hash_before(before, keys)?,
    })
}

/// Receives the rest of a body whose `head` was read, as the next of the upload.
async fn receive_after(
    cx: &Cx<'_>,
    grant: &Grant,
    before: &Upload,
    keys: &DomainKeys,
    at: Option<Announced>,
    head: Head,
    body: &mut dyn Body,
) -> Result<Received> {
    let most = limits(cx, grant).bytes;
    let target = Target {
        most,
        ..target(before, keys)?
    };
    let announced = head.announced;
    // What is too large is refused before it is received, where its length is told.
    if announced.is_some_and(|length| before.received.saturating_add_unsigned(length) > most) {
        return Err(Error::LayerTooLarge(most));
    }
    let received = if head.is_all && head.fits(before.inline_bytes) {
        receive::inline(target, &head.pieces)?
    } else {
        receive::segment(cx, grant, target, head.pieces, body).await?
    };
    check_length(cx, &received, at, announced).await?;
    Ok(received)
}

/// Refuses a body of another length than was announced; nothing of it is admitted.
async fn check_length(
    cx: &Cx<'_>,
    received: &Received,
    at: Option<Announced>,
    announced: Option<u64>,
) -> Result<()> {
    let length = received.bytes.cast_unsigned();
    let announced = [announced, at.map(|at| at.length)];
    for expected in announced.into_iter().flatten() {
        if expected != length {
            receive::forget(cx.core, received.piece.as_ref()).await;
            let text = format!("the body has {length} bytes instead of {expected}");
            return Err(Error::SizeInvalid(text));
        }
    }
    Ok(())
}

fn hash_before(before: &Upload, keys: &DomainKeys) -> Result<UploadHash> {
    match &before.hash {
        None => Ok(UploadHash::new(before.sha512.then_some(Algorithm::Sha512))),
        Some(sealed) => {
            let state = keys
                .open(&upload_hash_aad(before.id.as_bytes()), sealed)
                .map_err(Error::internal)?;
            UploadHash::restore(&state).map_err(Error::internal)
        }
    }
}

/// SHA-512 was not announced, so the whole content is read once more.
async fn rehash(
    cx: &Cx<'_>,
    grant: &Grant,
    before: &Upload,
    received: &Received,
    digests: &[Digest],
) -> Result<Digest> {
    // While the body came, what was uploaded before may have been sealed under a newer key.
    let keys = cx.core.domain_keys(grant).await?;

    let mut hash = UploadHash::new(Some(Algorithm::Sha512));
    let mut pieces = super::blob::open_upload(cx, &keys, before, received).await?;
    while let Some(bytes) = pieces.next().await {
        let bytes: Bytes = bytes?;
        hash.update(&bytes);
    }
    matching(hash, digests).ok_or(Error::InvalidLayer)
}

/// Returns which of `digests` the hashed bytes have.
pub(crate) fn matching(hash: UploadHash, digests: &[Digest]) -> Option<Digest> {
    let (sha256, sha512) = hash.finish();
    digests
        .iter()
        .find(|digest| **digest == sha256 || Some(**digest) == sha512)
        .copied()
}

fn wants_sha512(digests: &[Digest]) -> bool {
    digests
        .iter()
        .any(|digest| digest.algorithm() == Algorithm::Sha512)
}

fn admission(
    cx: &Cx<'_>,
    grant: &Grant,
    upload: UploadId,
    start: i64,
    received: &Received,
    keys: &DomainKeys,
) -> Admission {
    Admission {
        seals_until: keys.seals_until(),
        limits: limits(cx, grant),
        upload,
        start,
        bytes: received.bytes,
        piece: received.piece.clone(),
    }
}

fn limits(cx: &Cx<'_>, grant: &Grant) -> UploadLimits {
    cx.core.quotas.upload(grant.registry().kind())
}

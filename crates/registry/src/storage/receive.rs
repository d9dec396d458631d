//! Receiving a body: into memory while it is small, else into a segment. Nothing here admits anything.

use bytes::Bytes;
use longshore_store::{
    blob::{FinishedSegment, MAX_WRITING, NewSegment, SegmentRow},
    crypto::DomainKeys,
    hash::UploadHash,
    meta::Durability,
};
use longshore_types::id::{PhysicalId, UploadId};

use super::{INLINE_BYTES, content_of, piece_aad};
use crate::{
    authz::Grant,
    body::Body,
    core::Core,
    cx::Cx,
    error::{Error, Result},
    table::{doomed, link::KEEP},
};

// An intent outlives the write it is about, and what a store may still do of it afterwards.
const _: () = assert!(KEEP.as_secs() > MAX_WRITING.as_secs() + 3600);

/// Where a body goes, and how its upload stood before it.
pub(crate) struct Target<'a> {
    pub(crate) upload: UploadId,
    pub(crate) start: i64,
    /// How many bytes there may be, with those before it.
    pub(crate) most: i64,
    pub(crate) keys: &'a DomainKeys,
    pub(crate) hash: UploadHash,
}

/// A body that is complete and, if it became a segment, durable.
pub(crate) struct Received {
    pub(crate) bytes: i64,
    pub(crate) hash: UploadHash,
    pub(crate) piece: Option<Piece>,
}

/// One body's bytes, on their way into the rows.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// Sealed, for the metadata.
    Inline(Vec<u8>),
    /// A finished segment.
    Segment(Box<SegmentRow>),
}

/// The beginning of a body: all of it, or somewhat more than can stay inline.
pub(crate) struct Head {
    pub(crate) pieces: Vec<Bytes>,
    pub(crate) is_all: bool,
    /// The length that the client announced for the whole body, if it did.
    pub(crate) announced: Option<u64>,
}

impl Head {
    /// Whether this much may join `inline_bytes` that the upload has inline already.
    pub(crate) fn fits(&self, inline_bytes: i64) -> bool {
        self.pieces.iter().map(Bytes::len).sum::<usize>() <= room(inline_bytes)
    }
}

fn room(inline_bytes: i64) -> usize {
    usize::try_from(INLINE_BYTES - inline_bytes).unwrap_or(0)
}

/// Reads `body` until it is known whether it may join `inline_bytes` that the upload has inline already.
pub(crate) async fn peek(body: &mut dyn Body, inline_bytes: i64) -> Result<Head> {
    let (mut head, mut length) = (
        Head {
            pieces: Vec::new(),
            is_all: false,
            announced: body.announced(),
        },
        0,
    );
    while let Some(piece) = body.next().await {
        let piece = piece?;
        length += piece.len();
        head.pieces.push(piece);
        if length > room(inline_bytes) {
            return Ok(head);
        }
    }
    head.is_all = true;
    Ok(head)
}

/// Seals a small body for the metadata.
pub(crate) fn inline(mut target: Target<'_>, pieces: &[Bytes]) -> Result<Received> {
    let body = pieces.concat();
    if body.is_empty() {
        return Ok(Received {
            bytes: 0,
            hash: target.hash,
            piece: None,
        });
    }
    target.hash.update(&body);
    let aad = piece_aad(content_of(target.upload), target.start);
    let sealed = target.keys.seal(&aad, &body).map_err(Error::internal)?;
    let bytes = i64::try_from(body.len()).map_err(Error::internal)?;
    Ok(Received {
        bytes,
        hash: target.hash,
        piece: Some(Piece::Inline(sealed)),
    })
}

/// Receives a body that starts with `head` into a segment.
pub(crate) async fn segment(
    cx: &Cx<'_>,
    grant: &Grant,
    target: Target<'_>,
    head: Vec<Bytes>,
    body: &mut dyn Body,
) -> Result<Received> {
    let physical = intend(cx, grant).await?;
    let store = cx.core.blobs.store_id();
    finish(cx.core, (store, physical), target, head, body).await
}

/// Receives a body into a segment whose intent is recorded.
async fn finish(
    core: &Core,
    (store, physical): (u32, PhysicalId),
    target: Target<'_>,
    head: Vec<Bytes>,
    body: &mut dyn Body,
) -> Result<Received> {
    let written = write(core, (store, physical), target, head, body).await;
    if written.is_err() {
        release(core, (store, physical)).await;
    }
    let segment = written?;
    Ok(Received {
        bytes: i64::try_from(segment.row.size).map_err(Error::internal)?,
        hash: segment.hash,
        piece: Some(Piece::Segment(Box::new(segment.row))),
    })
}

/// Receives a body that the server reads itself, into memory while it is small, else into a segment of the store of that
/// number.
pub(crate) async fn own(
    core: &Core,
    store: u32,
    target: Target<'_>,
    body: &mut dyn Body,
) -> Result<Received> {
    let head = peek(body, 0).await?;
    if head.is_all {
        return inline(target, &head.pieces);
    }
    let physical = PhysicalId::from_uuid(core.fresh());
    core.meta
        .write(Durability::Durable, move |tx| {
            let not_before = tx.now().plus(KEEP);
            Ok::<_, Error>(doomed::insert(tx, physical, store, not_before)?)
        })
        .await?;
    finish(core, (store, physical), target, head.pieces, body).await
}

async fn write(
    core: &Core,
    (store, physical): (u32, PhysicalId),
    target: Target<'_>,
    head: Vec<Bytes>,
    body: &mut dyn Body,
) -> Result<FinishedSegment> {
    let spec = NewSegment {
        physical_id: physical,
        upload_id: target.upload,
        start: target.start.cast_unsigned(),
        hash: target.hash,
    };
    let mut writer = core.blobs.create_in(store, target.keys, spec).await?;
    let mut left = (target.most - target.start).max(0).cast_unsigned();
    let mut head = head.into_iter();
    loop {
        let piece = match head.next() {
            Some(piece) => piece,
            None => match body.next().await {
                Some(piece) => piece?,
                None => break,
            },
        };
        left = left
            .checked_sub(piece.len() as u64)
            .ok_or(Error::LayerTooLarge(target.most))?;
        writer.write(piece).await?;
    }
    Ok(writer.finish().await?)
}

/// Records, durably, the id of a file that is about to be made, so that it cannot leak.
async fn intend(cx: &Cx<'_>, grant: &Grant) -> Result<PhysicalId> {
    let physical = PhysicalId::from_uuid(cx.core.fresh());
    let store = cx.core.blobs.store_id();
    cx.write(grant, Durability::Durable, move |tx, _| {
        let not_before = tx.now().plus(KEEP);
        Ok(doomed::insert(tx, physical, store, not_before)?)
    })
    .await?;
    Ok(physical)
}

/// Lets the file of a body that is not admitted go. When this fails, its intent dooms it all the same.
pub(crate) async fn forget(core: &Core, piece: Option<&Piece>) {
    if let Some(Piece::Segment(segment)) = piece {
        release(core, (segment.store, segment.physical_id)).await;
    }
}

/// Lets the file of a segment that is not to be go. When this fails, its intent dooms it all the same.
pub(crate) async fn release(core: &Core, (store, physical): (u32, PhysicalId)) {
    let released = core
        .meta
        .write(Durability::Soft, move |tx| {
            doomed::release(tx, physical, store)
        })
        .await;
    if let Err(error) = released {
        tracing::warn!(%physical, %error, "an unused segment stays until its intent ends");
    }
}

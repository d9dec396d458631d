//! Reading blobs: inline pieces and segments, in order, any range.

use std::{collections::VecDeque, ops::Range, sync::Arc};

use bytes::Bytes;
use longshore_store::{
    blob::{BlobError, BlobStream, Blobs, SegmentRow},
    crypto::DomainKeys,
    meta::{Durability, Metadata},
};
use longshore_types::{
    digest::Digest,
    id::{ContentId, DomainId},
};

use super::{
    content_of, piece_aad,
    receive::{Piece, Received},
};
use crate::{
    authz::Grant,
    body::Body,
    core::Core,
    cx::Cx,
    error::{Error, Result},
    table::{
        blob::{self, Found, HeldBy, Inline},
        segment,
        upload::Upload,
    },
};

/// One piece of a content, by where it starts.
enum Part {
    Inline(Bytes),
    Segment(SegmentRow),
}

/// Bytes of a blob on their way out: verified, in order.
#[derive(Debug)]
pub struct Download {
    parts: VecDeque<Stretch>,
    current: Option<BlobStream>,
    blobs: Blobs,
    keys: Arc<DomainKeys>,
    of: Option<Identity>,
}

#[derive(Debug)]
enum Stretch {
    Inline(Bytes),
    Segments(Vec<SegmentRow>, Range<u64>),
}

/// What to mark damaged when the bytes turn out to be.
#[derive(Clone, Debug)]
struct Identity {
    meta: Metadata,
    domain: DomainId,
    digest: Digest,
    content: ContentId,
}

impl Download {
    /// Returns the next bytes, or `None` after the last.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        loop {
            if let Some(stream) = &mut self.current {
                match stream.next().await {
                    Some(Ok(bytes)) => return Some(Ok(bytes)),
                    Some(Err(error)) => return Some(Err(self.failed(error).await)),
                    None => self.current = None,
                }
            }
            match self.parts.pop_front()? {
                Stretch::Inline(bytes) => return Some(Ok(bytes)),
                Stretch::Segments(rows, range) => {
                    match self.blobs.read_blob(rows, self.keys.clone(), &range) {
                        Ok(stream) => self.current = Some(stream),
                        Err(error) => return Some(Err(self.failed(error).await)),
                    }
                }
            }
        }
    }

    /// Ends the download; a blob whose bytes are gone or wrong is absent from now on, until it is uploaded again.
    async fn failed(&mut self, error: BlobError) -> Error {
        self.parts.clear();
        self.current = None;
        if let (true, Some(of)) = (
            matches!(error, BlobError::Damaged(..) | BlobError::Missing(_)),
            &self.of,
        ) {
            let Identity {
                meta,
                domain,
                digest,
                content,
            } = of.clone();
            tracing::error!(blob.digest = %digest, %error, "a blob is damaged");
            let marked = meta
                .write(Durability::Durable, move |tx| {
                    blob::damage(tx, domain, &digest, content)
                })
                .await;
            if let Err(error) = marked {
                tracing::error!(blob.digest = %digest, %error, "a damaged blob could not be marked");
            }
        }
        error.into()
    }
}

/// What is read, as a body that comes in.
#[async_trait::async_trait]
impl Body for Download {
    async fn next(&mut self) -> Option<Result<Bytes>> {
        Self::next(self).await
    }

    fn announced(&self) -> Option<u64> {
        None
    }
}

/// A blob that is present here, ready to be read.
#[derive(Debug)]
pub struct Opened {
    found: Found,
    digest: Digest,
}

impl Opened {
    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.found.size
    }

    /// The one segment that it is, if it is one.
    pub(crate) fn only_segment(&self) -> Option<&SegmentRow> {
        let [row] = self.found.rows.as_slice() else {
            return None;
        };
        (row.size == self.found.size).then_some(row)
    }
}

/// Finds a blob that is present in the grant's repository. One statement.
pub(crate) async fn find(cx: &Cx<'_>, grant: &Grant, digest: Digest) -> Result<Opened> {
    find_held(cx, grant, digest, HeldBy::Active).await
}

/// Finds a blob that such images make present in the grant's repository. One statement.
pub(crate) async fn find_held(
    cx: &Cx<'_>,
    grant: &Grant,
    digest: Digest,
    images: HeldBy,
) -> Result<Opened> {
    let found = cx
        .query(grant, move |tx, grant| {
            blob::find(tx, grant, &digest, images)
        })
        .await?;
    Ok(Opened {
        found: found.ok_or(Error::BlobUnknown)?,
        digest,
    })
}

/// Opens a range of a blob.
pub(crate) async fn read(
    cx: &Cx<'_>,
    grant: &Grant,
    opened: Opened,
    range: Range<u64>,
) -> Result<Download> {
    let Opened { found, digest } = opened;
    let keys = cx.core.domain_keys(grant).await?;
    let mut inline = found.inline;
    let segments = i64::try_from(found.rows.len()).map_err(Error::internal)?;
    if segments != found.segments {
        return Err(Error::internal(
            "a blob has another number of segments than its row says",
        ));
    }
    if mixed(&found.rows, found.size) {
        let content = found.content;
        inline = cx
            .core
            .meta
            .query(move |tx| blob::inline(tx, content))
            .await?;
    }
    let parts = parts(&keys, found.content, inline, found.rows)?;
    let of = Identity {
        meta: cx.core.meta.clone(),
        domain: keys.domain(),
        digest,
        content: found.content,
    };
    download(cx.core.blobs.clone(), keys, parts, range, Some(of))
}

/// Opens a range of a blob for whoever reads it as a whole, however it is linked.
pub(crate) async fn open(
    core: &Core,
    keys: Arc<DomainKeys>,
    digest: Digest,
    content: ContentId,
    range: Range<u64>,
) -> Result<Download> {
    open_in((&core.meta, &core.blobs), keys, digest, content, range).await
}

/// Opens a range of a blob that these rows and segments have.
pub(crate) async fn open_in(
    (meta, blobs): (&Metadata, &Blobs),
    keys: Arc<DomainKeys>,
    digest: Digest,
    content: ContentId,
    range: Range<u64>,
) -> Result<Download> {
    let (inline, rows) = meta
        .read(move |tx| {
            Ok::<_, Error>((
                blob::inline(tx, content)?,
                segment::of_content(tx, content)?,
            ))
        })
        .await?;
    let parts = parts(&keys, content, inline, rows)?;
    let of = Identity {
        meta: meta.clone(),
        domain: keys.domain(),
        digest,
        content,
    };
    download(blobs.clone(), keys, parts, range, Some(of))
}

/// Whether segments alone do not make up the blob.
fn mixed(rows: &[SegmentRow], size: u64) -> bool {
    !rows.is_empty() && rows.iter().map(|row| row.size).sum::<u64>() != size
}

/// Opens the bytes of an upload with the body that is about to close it.
pub(crate) async fn open_upload(
    cx: &Cx<'_>,
    keys: &Arc<DomainKeys>,
    before: &Upload,
    received: &Received,
) -> Result<Download> {
    let content = content_of(before.id);
    let (mut inline, mut rows) = cx
        .core
        .meta
        .read(move |tx| {
            Ok::<_, Error>((
                blob::inline(tx, content)?,
                segment::of_content(tx, content)?,
            ))
        })
        .await?;
    match &received.piece {
        None => {}
        Some(Piece::Inline(sealed)) => inline.push(Inline {
            start: before.received,
            sealed: sealed.clone(),
        }),
        Some(Piece::Segment(row)) => rows.push(row.as_ref().clone()),
    }
    let size = (before.received + received.bytes).cast_unsigned();
    let parts = parts(keys, content, inline, rows)?;
    download(cx.core.blobs.clone(), keys.clone(), parts, 0..size, None)
}

fn parts(
    keys: &DomainKeys,
    content: ContentId,
    inline: Vec<Inline>,
    rows: Vec<SegmentRow>,
) -> Result<Vec<(u64, u64, Part)>> {
    let mut parts = Vec::with_capacity(inline.len() + rows.len());
    for piece in inline {
        let plain = keys
            .open(&piece_aad(content, piece.start), &piece.sealed)
            .map_err(Error::internal)?;
        parts.push((
            piece.start.cast_unsigned(),
            plain.len() as u64,
            Part::Inline(plain.into()),
        ));
    }
    parts.extend(
        rows.into_iter()
            .map(|row| (row.start, row.size, Part::Segment(row))),
    );
    parts.sort_by_key(|(start, ..)| *start);
    Ok(parts)
}

/// Cuts the parts down to `range`, neighbouring segments into one stretch.
fn download(
    blobs: Blobs,
    keys: Arc<DomainKeys>,
    parts: Vec<(u64, u64, Part)>,
    range: Range<u64>,
    of: Option<Identity>,
) -> Result<Download> {
    let mut stretches: VecDeque<Stretch> = VecDeque::new();
    let mut expected = 0;
    for (start, length, part) in parts {
        if start != expected {
            return Err(Error::internal("the pieces of a blob do not join"));
        }
        expected = start + length;
        let (from, to) = (range.start.max(start), range.end.min(expected));
        if from >= to {
            continue;
        }
        let cut = from - start..to - start;
        match (part, stretches.back_mut()) {
            (Part::Inline(bytes), _) => {
                let cut = usize::try_from(cut.start).map_err(Error::internal)?
                    ..usize::try_from(cut.end).map_err(Error::internal)?;
                stretches.push_back(Stretch::Inline(bytes.slice(cut)));
            }
            (Part::Segment(row), Some(Stretch::Segments(rows, stretch))) => {
                stretch.end += cut.end - cut.start;
                rows.push(row);
            }
            (Part::Segment(row), _) => stretches.push_back(Stretch::Segments(vec![row], cut)),
        }
    }
    if expected < range.end {
        return Err(Error::internal("the pieces of a blob end early"));
    }
    Ok(Download {
        parts: stretches,
        current: None,
        blobs,
        keys,
        of,
    })
}

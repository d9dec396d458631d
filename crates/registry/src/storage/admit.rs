//! Admission: the transactions that make a received body part of an upload, and an upload a blob.

use longshore_store::meta::Tx;
use longshore_types::{
    digest::Digest,
    id::{ContentId, DomainId, UploadId},
    time::Timestamp,
};

use super::{content_of, receive::Piece};
use crate::{
    authz::Grant,
    error::{Error, Result},
    quota::UploadLimits,
    table::{
        blob::{self, NewBlob},
        doomed, link,
        repository::Repository,
        segment,
        upload::{self, Upload},
    },
};

/// An admission of one body at `start`.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    pub(crate) upload: UploadId,
    pub(crate) start: i64,
    pub(crate) bytes: i64,
    pub(crate) piece: Option<Piece>,
    pub(crate) limits: UploadLimits,
    /// Until when what its keys have sealed may go into rows.
    pub(crate) seals_until: Timestamp,
}

/// What closing an upload found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    /// Whether the blob was present here before.
    pub(crate) was_present: bool,
}

impl Admission {
    /// Adds the body to its open upload; `hash` is the sealed hash state after it.
    pub(crate) fn append(
        &self,
        tx: &mut dyn Tx,
        grant: &Grant,
        before: &Upload,
        part: bool,
        hash: Vec<u8>,
    ) -> Result<Upload> {
        let incarnation = grant.repository()?.incarnation;
        let mut after = self.after(before)?;
        after.hash = Some(hash);
        after.undersized = before.undersized
            || (before.last_part > 0 && before.last_part < super::upload::MIN_PART_BYTES);
        after.last_part = if part { self.bytes } else { 0 };
        if !upload::advance(tx, incarnation, self.start, &after)? {
            let now = upload::get(tx, incarnation, self.upload)?;
            return Err(super::upload::misplaced(
                grant,
                self.upload,
                self.start,
                now.as_ref(),
            ));
        }
        self.hang(tx)?;
        Ok(after)
    }

    /// Ends the upload with this body and makes the blob `digest` of it.
    pub(crate) fn close(
        &self,
        tx: &mut dyn Tx,
        grant: &Grant,
        before: &Upload,
        digest: &Digest,
    ) -> Result<Closed> {
        let incarnation = grant.repository()?.incarnation;
        if !upload::remove(tx, incarnation, self.upload, self.start)? {
            let now = upload::get(tx, incarnation, self.upload)?;
            return Err(super::upload::misplaced(
                grant,
                self.upload,
                self.start,
                now.as_ref(),
            ));
        }
        self.become_blob(tx, grant.repository()?, before, digest)
    }

    /// Makes the blob `digest` of this body alone, with no upload before it.
    pub(crate) fn whole(&self, tx: &mut dyn Tx, grant: &Grant, digest: &Digest) -> Result<Closed> {
        self.whole_in(tx, grant.repository()?, digest)
    }

    /// Makes the blob `digest` of this body alone in `repository`, for whoever has proven to be allowed to.
    pub(crate) fn whole_in(
        &self,
        tx: &mut dyn Tx,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Closed> {
        let before = super::upload::fresh(self.upload, false);
        self.become_blob(tx, repository, &before, digest)
    }

    /// Makes this body alone the content of a blob in place of `damaged`, which goes; fails with [`Error::Stale`] when the
    /// blob has another content by now, or is gone.
    pub(crate) fn renew(
        &self,
        tx: &mut dyn Tx,
        (domain, digest): (DomainId, Digest),
        damaged: ContentId,
        is_archived: bool,
    ) -> Result<()> {
        self.hang(tx)?;
        let after = self.after(&super::upload::fresh(self.upload, false))?;
        let blob = NewBlob {
            domain,
            digest,
            content: content_of(self.upload),
            size: after.received,
            segments: after.segments,
        };
        if blob::renew(tx, &blob, damaged, is_archived)? {
            Ok(())
        } else {
            Err(Error::Stale)
        }
    }

    fn become_blob(
        &self,
        tx: &mut dyn Tx,
        repository: &Repository,
        before: &Upload,
        digest: &Digest,
    ) -> Result<Closed> {
        let after = self.after(before)?;
        self.hang(tx)?;
        let blob = NewBlob {
            domain: repository.domain,
            digest: *digest,
            content: content_of(self.upload),
            size: after.received,
            segments: after.segments,
        };
        blob::insert(tx, &blob)?;
        let was_present = !link::present(tx, repository.incarnation, &[*digest])?.is_empty();
        link::promise(tx, repository.incarnation, repository.domain, digest)?;
        Ok(Closed { was_present })
    }

    fn after(&self, before: &Upload) -> Result<Upload> {
        let mut after = before.clone();
        after.received = self.start + self.bytes;
        if after.received > self.limits.bytes {
            return Err(Error::LayerTooLarge(self.limits.bytes));
        }
        match &self.piece {
            None => return Ok(after),
            Some(Piece::Inline(_)) => after.inline_bytes += self.bytes,
            Some(Piece::Segment(_)) => after.segments += 1,
        }
        after.pieces += 1;
        if after.pieces > self.limits.parts {
            return Err(Error::TooManyParts(self.limits.parts.cast_unsigned()));
        }
        Ok(after)
    }

    fn hang(&self, tx: &mut dyn Tx) -> Result<()> {
        // Later the key may be gone that sealed the piece, and the hash state with it.
        if tx.now() > self.seals_until {
            return Err(Error::BodyBroken("the upload took too long".to_owned()));
        }
        let content = content_of(self.upload);
        match &self.piece {
            None => {}
            Some(Piece::Inline(sealed)) => segment::insert_inline(tx, content, self.start, sealed)?,
            Some(Piece::Segment(row)) => {
                // The intent ends after a day, and its file may be gone with it.
                if !doomed::claim(tx, row.physical_id)? {
                    return Err(Error::BodyBroken("the upload took too long".to_owned()));
                }
                segment::insert(tx, content, row)?;
            }
        }
        Ok(())
    }
}

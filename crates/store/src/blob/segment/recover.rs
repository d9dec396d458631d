//! Reading a segment without its row: for finding the chain of a blob again when the metadata is lost.

use longshore_types::digest::Digest;
use longshore_types::id::{PhysicalId, UploadId};

use super::{FOOTER_LEN, FORMAT, Footer, Header, Layout, header_hash};
use crate::blob::error::{BlobError, Damage};
use crate::blob::pool::FRAME_LEN;
use crate::blob::row::{Cipher, SegmentRow};
use crate::crypto::DomainKeys;

/// What a sealed segment tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The row that its writer made.
    pub row: SegmentRow,
    /// The upload that it was a part of.
    pub upload_id: UploadId,
    /// SHA-256 of that upload from its first byte to the end of this segment: the digest, in the last one of a blob.
    pub upload_sha256: Digest,
}

/// An object without its row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) physical_id: PhysicalId,
    pub(crate) store: u32,
    pub(crate) length: u64,
    /// Its first bytes, enough for any header or all there are.
    pub(crate) front: &'a [u8],
    /// Its last bytes, enough for a footer or all there are.
    pub(crate) back: &'a [u8],
}

impl Found<'_> {
    /// Checks header and footer, which must belong to the domain of `keys`; the frames are checked when they are read.
    pub(crate) fn recover(&self, keys: &DomainKeys) -> Result<Recovered, BlobError> {
        let id = self.physical_id;
        let damaged = |damage| BlobError::Damaged(id, damage);
        let (header, header_len) = Header::parse(self.front).map_err(damaged)?;
        if header.physical_id != id
            || (header.registry, header.domain_id) != (keys.registry(), keys.domain())
        {
            return Err(damaged(Damage::Foreign));
        }
        if header.cipher != Cipher::Aes256Gcm || header.frame_size as usize != FRAME_LEN {
            return Err(damaged(Damage::Header));
        }
        let data_key = keys
            .unwrap_key(id, header.key_version, &header.wrapped_key)
            .map_err(|error| BlobError::Keys(id, error))?;
        let bytes = self.front.get(..header_len).unwrap_or_default();
        let footer = self
            .back
            .len()
            .checked_sub(FOOTER_LEN)
            .and_then(|at| self.back.get(at..));
        let footer = Footer::open(&data_key, &header_hash(bytes), footer.unwrap_or_default())
            .map_err(damaged)?;
        let layout = Layout {
            cipher: header.cipher,
            header_len: header_len as u64,
            size: footer.size,
        };
        if layout.frames() != footer.frames || layout.stored_len() != self.length {
            return Err(damaged(Damage::Truncated));
        }
        Ok(Recovered {
            upload_id: header.upload_id,
            upload_sha256: Digest::sha256(footer.upload_sha256),
            row: self.row(&header, bytes, footer.size),
        })
    }

    fn row(&self, header: &Header, bytes: &[u8], size: u64) -> SegmentRow {
        SegmentRow {
            physical_id: self.physical_id,
            start: header.start,
            size,
            store: self.store,
            format: FORMAT.into(),
            cipher: header.cipher,
            frame_size: header.frame_size,
            header: bytes.to_vec(),
            key_version: header.key_version,
            wrapped_key: header.wrapped_key.clone(),
            checks: Vec::new(),
        }
    }
}

//! Segments as they are stored, bytes untouched: for copies to another store, each proven on its way.

use std::sync::Arc;

use bytes::Bytes;
use longshore_types::account::Registry;
use longshore_types::id::{DomainId, PhysicalId};

use super::Blobs;
use super::blobs::{check_row, sealing};
use super::error::{BlobError, Damage};
use super::pool::Pool;
use super::row::{Cipher, SegmentRow};
use super::segment::{Decoder, Encoder, Header, Proof, Verifier};
use super::store::{RawWriter, SegmentStore};
use super::stream::SegmentStream;
use super::writer::SegmentWriter;
use crate::crypto::DomainKeys;

/// The objects of one store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stored {
    store: Arc<dyn SegmentStore>,
    pool: Pool,
}

/// Why a segment was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// It cannot be read where it is, or is not what its row says.
    #[error(transparent)]
    Source(BlobError),
    /// It cannot be written where it goes.
    #[error(transparent)]
    Target(BlobError),
}

impl Stored {
    /// Names the objects of a store, which are moved through buffers of `pool`.
    pub fn new(store: Arc<dyn SegmentStore>, pool: Pool) -> Self {
        Self { store, pool }
    }

    /// Returns the store.
    pub fn store(&self) -> &dyn SegmentStore {
        self.store.as_ref()
    }

    /// Makes the segments readable whose copies these are, of the stores of those numbers.
    pub fn to_blobs(&self, store: u32, archive: u32) -> Blobs {
        let (objects, pool) = (Arc::clone(&self.store), self.pool.clone());
        Blobs::new(objects, store, Cipher::Aes256Gcm, pool)
            .with_archive(Arc::clone(&self.store), archive)
    }

    /// Whether there is an object of the segment's name and length.
    pub async fn has(&self, row: &SegmentRow) -> Result<bool, BlobError> {
        let length = self.store.stat(row.physical_id).await?;
        Ok(length == Some(row.stored_len()))
    }

    /// Removes an object durably; one that is not there is removed already.
    pub async fn delete(&self, id: PhysicalId) -> Result<(), BlobError> {
        self.store.delete(id).await
    }

    /// Reads a segment as it is stored; the last bytes come only if all of them are what the row says.
    pub async fn read(
        &self,
        row: &SegmentRow,
        keys: &DomainKeys,
    ) -> Result<StoredStream, BlobError> {
        let id = row.physical_id;
        let length = row.stored_len();
        match self.store.stat(id).await? {
            Some(found) if found == length => {}
            Some(_) => return Err(BlobError::Damaged(id, Damage::Truncated)),
            None => return Err(BlobError::Missing(id)),
        }
        let verifier = verifier(row, keys)?;
        let reader = self.store.open(id, 0..length).await?;
        let decoder = Decoder::raw(id, length);
        Ok(StoredStream {
            bytes: SegmentStream::new(self.pool.clone(), reader, decoder, 0, length),
            left: length,
            verifier,
        })
    }

    /// Reads a segment to its end.
    pub async fn verify(&self, row: &SegmentRow, keys: &DomainKeys) -> Result<(), BlobError> {
        let mut stream = self.read(row, keys).await?;
        while let Some(next) = stream.next().await {
            next?;
        }
        Ok(())
    }

    /// Copies a segment to another store, where it appears only if it is whole; `progress` is told of every so many bytes.
    pub async fn copy(
        &self,
        row: &SegmentRow,
        keys: &DomainKeys,
        to: &Self,
        progress: impl FnMut(u64),
    ) -> Result<(), CopyError> {
        let stream = self.read(row, keys).await.map_err(CopyError::Source)?;
        let writer = to.store.create(row.physical_id).await;
        let writer = to.writer(row, writer.map_err(CopyError::Target)?);
        match pass(stream, writer, progress).await {
            // Under its name lies what somebody else has copied, if it is of its length.
            Err(CopyError::Target(BlobError::Exists(_)))
                if to.has(row).await.map_err(CopyError::Target)? =>
            {
                Ok(())
            }
            passed => passed,
        }
    }

    /// Copies a segment to another store, in place of whatever lies there under its name; that stays until this one is whole.
    pub async fn copy_over(
        &self,
        row: &SegmentRow,
        keys: &DomainKeys,
        to: &Self,
    ) -> Result<(), CopyError> {
        let id = row.physical_id;
        let there = to.store.stat(id).await.map_err(CopyError::Target)?;
        if there.is_none() {
            return self.copy(row, keys, to, |_| {}).await;
        }
        let stream = self.read(row, keys).await.map_err(CopyError::Source)?;
        let writer = to.store.replace(id).await.map_err(CopyError::Target)?;
        pass(stream, to.writer(row, writer), |_| {}).await
    }

    fn writer(&self, row: &SegmentRow, writer: Box<dyn RawWriter>) -> SegmentWriter {
        let encoder = Box::new(Encoder::raw(row.physical_id));
        SegmentWriter::new(self.pool.clone(), writer, encoder, row.clone())
    }
}

/// Writes what is read, to its end or not at all.
async fn pass(
    mut stream: StoredStream,
    mut writer: SegmentWriter,
    mut progress: impl FnMut(u64),
) -> Result<(), CopyError> {
    while let Some(next) = stream.next().await {
        match next {
            Ok(bytes) => {
                let count = bytes.len() as u64;
                writer.write(bytes).await.map_err(CopyError::Target)?;
                progress(count);
            }
            Err(error) => {
                writer.abort().await.map_err(CopyError::Target)?;
                return Err(CopyError::Source(error));
            }
        }
    }
    writer.finish().await.map(drop).map_err(CopyError::Target)
}

impl Blobs {
    /// Returns the objects of the store of that number.
    pub fn stored(&self, store: u32) -> Option<Stored> {
        let objects = self.segments_of(store)?;
        Some(Stored::new(objects, self.pool().clone()))
    }
}

/// The stored bytes of a segment, in order.
#[derive(Debug)]
pub struct StoredStream {
    bytes: SegmentStream,
    left: u64,
    verifier: Verifier,
}

impl StoredStream {
    /// Returns the next bytes, `None` after the last ones or an error.
    pub async fn next(&mut self) -> Option<Result<Bytes, BlobError>> {
        let next = self.bytes.next().await?;
        Some(next.and_then(|bytes| {
            self.verifier.update(&bytes)?;
            self.left = self.left.saturating_sub(bytes.len() as u64);
            if self.left == 0 {
                self.verifier.finish()?;
            }
            Ok(bytes)
        }))
    }
}

impl SegmentRow {
    /// Returns the registry and the encryption domain that the header names.
    pub fn owner(&self) -> Result<(Registry, DomainId), Damage> {
        let (header, _) = Header::parse(&self.header)?;
        Ok((header.registry, header.domain_id))
    }
}

fn verifier(row: &SegmentRow, keys: &DomainKeys) -> Result<Verifier, BlobError> {
    let id = row.physical_id;
    check_row(row, keys).map_err(|damage| BlobError::Damaged(id, damage))?;
    let proof = match row.cipher {
        Cipher::None => Proof::Bare(row.checks.get(32..).unwrap_or_default().to_vec()),
        Cipher::Aes256Gcm => {
            let sealing = keys
                .unwrap_key(id, row.key_version, &row.wrapped_key)
                .and_then(|data_key| sealing(data_key, row.header.clone()))
                .map_err(|error| BlobError::Keys(id, error))?;
            Proof::Sealed(Box::new(sealing))
        }
    };
    Ok(Verifier::new(row, row.layout(), proof))
}

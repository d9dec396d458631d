//! Segments as plaintext: what the registry writes and reads.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use longshore_types::account::Registry;
use longshore_types::id::{DomainId, PhysicalId, UploadId};

use super::error::{BlobError, Damage};
use super::named::NamedObjects;
use super::pool::{FRAME_LEN, Pool};
use super::row::{Cipher, SegmentRow};
use super::segment::{
    CHECK_LEN, Decoder, Encoder, FOOTER_LEN, FORMAT, Found, FrameKey, Header, Layout,
    MAX_HEADER_LEN, Recovered, Sealing, header_hash,
};
use super::store::SegmentStore;
use super::stream::{BlobStream, SegmentStream};
use super::writer::SegmentWriter;
use crate::crypto::{CryptoError, DomainKeys, SealingKey};
use crate::hash::UploadHash;

/// The store of segments with its buffers, and perhaps a second one for what is archived. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs {
    store: Arc<dyn SegmentStore>,
    store_id: u32,
    archive: Option<(u32, Arc<dyn SegmentStore>)>,
    /// What lies beside the segments of the first store.
    objects: Option<Arc<dyn NamedObjects>>,
    /// The same of the archive store.
    archive_objects: Option<Arc<dyn NamedObjects>>,
    cipher: Cipher,
    pool: Pool,
}

/// A segment to write.
#[derive(Debug)]
pub struct NewSegment {
    /// The name of its object, recorded as doomed before it exists.
    pub physical_id: PhysicalId,
    /// The upload it is a part of.
    pub upload_id: UploadId,
    /// Where its first byte is in the upload.
    pub start: u64,
    /// The hash of the upload before it.
    pub hash: UploadHash,
}

impl Blobs {
    /// Makes the segments of a store readable, and new ones encrypted as `cipher` says.
    pub fn new(store: Arc<dyn SegmentStore>, store_id: u32, cipher: Cipher, pool: Pool) -> Self {
        Self {
            store,
            store_id,
            archive: None,
            objects: None,
            archive_objects: None,
            cipher,
            pool,
        }
    }

    /// Adds the store for what is archived; its number is another than the first one's.
    #[must_use]
    pub fn with_archive(self, store: Arc<dyn SegmentStore>, store_id: u32) -> Self {
        Self {
            archive: Some((store_id, store)),
            ..self
        }
    }

    /// Says how objects are found that lie beside the segments of the first store, and those by name.
    #[must_use]
    pub fn with_objects(self, objects: Arc<dyn NamedObjects>) -> Self {
        Self {
            objects: Some(objects),
            ..self
        }
    }

    /// Says how objects of the store for what is archived are found by name.
    #[must_use]
    pub fn with_archive_objects(self, objects: Arc<dyn NamedObjects>) -> Self {
        Self {
            archive_objects: Some(objects),
            ..self
        }
    }

    /// Returns the stores whose objects can be listed, with what lists them.
    pub fn listed(&self) -> Vec<(u32, Arc<dyn NamedObjects>)> {
        let first = self.objects.clone().map(|objects| (self.store_id, objects));
        let archive = self.archive_id().zip(self.archive_objects.clone());
        first.into_iter().chain(archive).collect()
    }

    /// Returns what lies beside the segments of the first store, if that was said.
    pub fn objects(&self) -> Option<&dyn NamedObjects> {
        self.objects.as_deref()
    }

    /// Returns whose a segment of a store is, by its header: the domain, and the version of its key.
    pub async fn owner(
        &self,
        store: u32,
        id: PhysicalId,
    ) -> Result<(Registry, DomainId, u32), BlobError> {
        let objects = self.holding(store, id)?;
        let length = objects.stat(id).await?.ok_or(BlobError::Missing(id))?;
        let front = 0..length.min(MAX_HEADER_LEN as u64);
        let front = self.bytes(&objects, id, front).await?;
        let parsed = Header::parse(&front);
        let (header, _) = parsed.map_err(|damage| BlobError::Damaged(id, damage))?;
        Ok((header.registry, header.domain_id, header.key_version))
    }

    /// Returns the number of the store that takes what is uploaded. Rows carry it.
    pub const fn store_id(&self) -> u32 {
        self.store_id
    }

    /// Returns the number of the store for what is archived, if there is one.
    pub fn archive_id(&self) -> Option<u32> {
        self.archive.as_ref().map(|(id, _)| *id)
    }

    /// The store that holds a segment.
    fn holding(&self, store: u32, id: PhysicalId) -> Result<Arc<dyn SegmentStore>, BlobError> {
        self.segments_of(store)
            .ok_or(BlobError::Unconfigured { id, store })
    }

    /// The store of that number.
    pub(super) fn segments_of(&self, store: u32) -> Option<Arc<dyn SegmentStore>> {
        match &self.archive {
            Some((archive, objects)) if *archive == store => Some(Arc::clone(objects)),
            _ if self.store_id == store => Some(Arc::clone(&self.store)),
            _ => None,
        }
    }

    /// Returns the buffers.
    pub const fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Binds the first store to the metadata of `store_id`; see [`SegmentStore::bind`].
    pub async fn bind(&self, store_id: &str, is_used: bool) -> io::Result<()> {
        self.store.bind(store_id, is_used).await
    }

    /// Binds the store for what is archived, if there is one, and demands it if it `is_used`.
    pub async fn bind_archive(&self, store_id: &str, is_used: bool) -> io::Result<()> {
        match &self.archive {
            // Another mark, so that it is not the place of the first store.
            Some((_, archive)) => archive.bind(&format!("{store_id} archive"), is_used).await,
            None if is_used => Err(io::Error::other(
                "blobs of archived images lie in a store of their own",
            )),
            None => Ok(()),
        }
    }

    /// Whether segments can be written and read now, those of archived images apart.
    pub async fn check(&self) -> io::Result<()> {
        self.store.check().await
    }

    /// How long after a write was given up its object may still appear, in whatever store.
    pub fn settling(&self) -> Duration {
        let archive = self.archive.as_ref().map(|(_, store)| store.settling());
        self.store.settling().max(archive.unwrap_or_default())
    }

    /// Creates a segment in the domain of the keys, in the store that takes what is uploaded.
    pub async fn create(
        &self,
        keys: &DomainKeys,
        segment: NewSegment,
    ) -> Result<SegmentWriter, BlobError> {
        self.create_in(self.store_id, keys, segment).await
    }

    /// Creates a segment in the domain of the keys, in the store of that number.
    pub async fn create_in(
        &self,
        store: u32,
        keys: &DomainKeys,
        segment: NewSegment,
    ) -> Result<SegmentWriter, BlobError> {
        let id = segment.physical_id;
        let objects = self.holding(store, id)?;
        let (row, encoder) = self
            .begin(store, keys, segment)
            .map_err(|error| BlobError::Encrypt(id, error))?;
        let writer = objects.create(id).await?;
        Ok(SegmentWriter::new(
            self.pool.clone(),
            writer,
            Box::new(encoder),
            row,
        ))
    }

    fn begin(
        &self,
        store: u32,
        keys: &DomainKeys,
        segment: NewSegment,
    ) -> Result<(SegmentRow, Encoder), CryptoError> {
        let id = segment.physical_id;
        let data_key = SealingKey::generate()?;
        let (key_version, wrapped_key) = match self.cipher {
            Cipher::None => (0, Vec::new()),
            Cipher::Aes256Gcm => keys.wrap_key(id, &data_key)?,
        };
        let header = Header {
            registry: keys.registry(),
            physical_id: id,
            domain_id: keys.domain(),
            upload_id: segment.upload_id,
            start: segment.start,
            cipher: self.cipher,
            frame_size: frame_size(self.cipher),
            key_version,
            wrapped_key,
        };
        let bytes = header.encode();
        let encoder = match self.cipher {
            Cipher::None => Encoder::bare(id, segment.hash),
            Cipher::Aes256Gcm => {
                Encoder::sealed(id, segment.hash, sealing(data_key, bytes.clone())?)
            }
        };
        let row = SegmentRow {
            physical_id: header.physical_id,
            start: header.start,
            size: 0,
            store,
            format: FORMAT.into(),
            cipher: header.cipher,
            frame_size: header.frame_size,
            header: bytes,
            key_version: header.key_version,
            wrapped_key: header.wrapped_key,
            checks: Vec::new(),
        };
        Ok((row, encoder))
    }

    /// Reads a range of a segment; only the frames, or checks, that it touches are read.
    pub async fn read(
        &self,
        row: &SegmentRow,
        keys: &DomainKeys,
        range: Range<u64>,
    ) -> Result<SegmentStream, BlobError> {
        let Range { start, end } = range;
        if start > end || end > row.size {
            let size = row.size;
            return Err(BlobError::Range { start, end, size });
        }
        check_row(row, keys).map_err(|damage| BlobError::Damaged(row.physical_id, damage))?;
        let layout = Layout {
            cipher: row.cipher,
            header_len: row.header.len() as u64,
            size: row.size,
        };
        let frames = layout.frames_of(&range);
        let decoder = decoder(row, keys, layout, &frames)?;
        let reader = self
            .holding(row.store, row.physical_id)?
            .open(row.physical_id, layout.stored(&frames))
            .await?;
        let skip = start - frames.start * FRAME_LEN as u64;
        Ok(SegmentStream::new(
            self.pool.clone(),
            reader,
            decoder,
            skip,
            end - start,
        ))
    }

    /// Reads a range of the blob that the segments, in order, make up.
    pub fn read_blob(
        &self,
        segments: Vec<SegmentRow>,
        keys: Arc<DomainKeys>,
        range: &Range<u64>,
    ) -> Result<BlobStream, BlobError> {
        BlobStream::new(self.clone(), segments, keys, range)
    }

    /// Returns a URL by which anybody may read a segment for so long: only of bare bytes, in a store that can tell one.
    pub fn location(&self, row: &SegmentRow, lifetime: Duration) -> Option<String> {
        let objects = match row.cipher {
            Cipher::Aes256Gcm => return None,
            Cipher::None => self.holding(row.store, row.physical_id).ok()?,
        };
        objects.location(row.physical_id, lifetime)
    }

    /// Removes the object of a segment from its store durably; one that is not there is removed already.
    pub async fn delete(&self, store: u32, id: PhysicalId) -> Result<(), BlobError> {
        self.holding(store, id)?.delete(id).await
    }

    /// Finds the row of a sealed segment of a store again from its object alone. Its frames are checked when they are read.
    pub async fn recover(
        &self,
        store: u32,
        id: PhysicalId,
        keys: &DomainKeys,
    ) -> Result<Recovered, BlobError> {
        let objects = self.holding(store, id)?;
        let length = objects.stat(id).await?.ok_or(BlobError::Missing(id))?;
        let front = 0..length.min(MAX_HEADER_LEN as u64);
        let front = self.bytes(&objects, id, front).await?;
        let back = length.saturating_sub(FOOTER_LEN as u64)..length;
        let back = self.bytes(&objects, id, back).await?;
        let found = Found {
            physical_id: id,
            store,
            length,
            front: &front,
            back: &back,
        };
        found.recover(keys)
    }

    /// Reads stored bytes as they are.
    async fn bytes(
        &self,
        objects: &Arc<dyn SegmentStore>,
        id: PhysicalId,
        range: Range<u64>,
    ) -> Result<Vec<u8>, BlobError> {
        let mut bytes = Vec::new();
        let length = range.end - range.start;
        if length > 0 {
            let decoder = Decoder::raw(id, length);
            let reader = objects.open(id, range).await?;
            let mut stream = SegmentStream::new(self.pool.clone(), reader, decoder, 0, length);
            while let Some(next) = stream.next().await {
                bytes.extend_from_slice(&next?);
            }
        }
        Ok(bytes)
    }
}

const fn frame_size(cipher: Cipher) -> u32 {
    // INVARIANT: both are far below 4 GiB.
    match cipher {
        #[expect(clippy::cast_possible_truncation, reason = "a constant of 1 MiB")]
        Cipher::None => CHECK_LEN as u32,
        #[expect(clippy::cast_possible_truncation, reason = "a constant of 64 KiB")]
        Cipher::Aes256Gcm => FRAME_LEN as u32,
    }
}

pub(super) fn sealing(data_key: SealingKey, header: Vec<u8>) -> Result<Sealing, CryptoError> {
    let header_hash = header_hash(&header);
    Ok(Sealing {
        key: FrameKey::new(&data_key, header_hash)?,
        data_key,
        header,
        header_hash,
    })
}

/// Checks that the header is that of the row, and in the domain of the keys.
pub(super) fn check_row(row: &SegmentRow, keys: &DomainKeys) -> Result<(), Damage> {
    let (header, length) = Header::parse(&row.header)?;
    let plausible = length == row.header.len()
        && row.format == u32::from(FORMAT)
        && row.frame_size == frame_size(row.cipher)
        && row.size > 0;
    if !plausible {
        return Err(Damage::Header);
    }
    let same = (header.physical_id, header.start) == (row.physical_id, row.start)
        && (header.cipher, header.frame_size) == (row.cipher, row.frame_size)
        && (header.registry, header.domain_id) == (keys.registry(), keys.domain());
    if same { Ok(()) } else { Err(Damage::Foreign) }
}

pub(crate) fn decoder(
    row: &SegmentRow,
    keys: &DomainKeys,
    layout: Layout,
    frames: &Range<u64>,
) -> Result<Decoder, BlobError> {
    let id = row.physical_id;
    match row.cipher {
        Cipher::None => {
            let checks = row.checks.get(32..).unwrap_or_default();
            Ok(Decoder::bare(id, layout, frames, checks.to_vec()))
        }
        Cipher::Aes256Gcm => {
            let sealing = keys
                .unwrap_key(id, row.key_version, &row.wrapped_key)
                .and_then(|data_key| sealing(data_key, row.header.clone()))
                .map_err(|error| BlobError::Keys(id, error))?;
            Ok(Decoder::sealed(id, layout, frames, sealing))
        }
    }
}

//! What every segment store must do. Run it with [`all`] on a fresh store.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use longshore_types::account::Registry;
use longshore_types::id::{DomainId, PhysicalId, UploadId};

use super::error::{BlobError, Damage};
use super::pool::{FRAME_LEN, Pool, SLAB_LEN};
use super::row::{Cipher, SegmentRow};
use super::segment::{Decoder, Fill};
use super::store::SegmentStore;
use super::{Blobs, FinishedSegment, NewSegment};
use crate::crypto::{DomainKeys, SealingKey, random};
use crate::hash::UploadHash;

/// Runs the whole suite; panics at the first fact that does not hold.
pub async fn all(store: Arc<dyn SegmentStore>) {
    for cipher in [Cipher::Aes256Gcm, Cipher::None] {
        let rig = Rig::new(Arc::clone(&store), cipher);
        rig.what_was_written_reads_back().await;
        rig.ranges_read_back().await;
        rig.many_readers_share_an_object().await;
        rig.ids_are_never_reused().await;
        rig.absent_objects_are_missing().await;
        rig.deleting_twice_succeeds().await;
        rig.aborting_removes().await;
        rig.a_dropped_writer_leaves_no_lock().await;
        rig.reading_past_the_end_is_truncation().await;
    }
}

/// What binding a place to metadata must do; `open` opens the same fresh place each time. Panics at the first fact that
/// does not hold.
pub async fn binding(open: impl Fn() -> Arc<dyn SegmentStore>) {
    open().bind("one", true).await.expect_err("nothing is here");
    let first = open();
    first.bind("one", false).await.expect("it is free");
    first.check().await.expect("it can be used");
    first.bind("one", true).await.expect("it is its own");
    open().bind("one", true).await.expect("it is still its own");
    for is_used in [false, true] {
        let refused = open().bind("two", is_used).await;
        refused.expect_err("it is another's");
    }
}

/// A store with keys, as tests use it.
#[derive(Clone, Debug)]
pub struct Rig {
    /// The store itself.
    pub store: Arc<dyn SegmentStore>,
    /// Its segments as plaintext.
    pub blobs: Blobs,
    /// The keys of the domain of all that the rig writes.
    pub keys: Arc<DomainKeys>,
}

/// Returns a fresh id.
pub fn fresh_id() -> PhysicalId {
    let bytes: [u8; 16] = random().expect("no randomness");
    PhysicalId::from_slice(&bytes).expect("16 bytes are an id")
}

/// Returns keys of a domain named by a byte.
pub fn domain_keys(domain: u8) -> DomainKeys {
    let account = "123456789012".parse().expect("a valid account");
    let registry = Registry::private(account, "eu-central-1".parse().expect("a valid region"));
    let domain = DomainId::from_slice(&[domain; 16]).expect("16 bytes are an id");
    DomainKeys::new(
        registry.expect("a valid registry"),
        domain,
        1,
        SealingKey::from_bytes([0x77; 32]),
    )
}

/// Returns bytes that differ everywhere, the same for the same length.
pub fn content(length: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ length as u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

impl Rig {
    /// Makes a rig over a store.
    pub fn new(store: Arc<dyn SegmentStore>, cipher: Cipher) -> Self {
        Self {
            blobs: Blobs::new(Arc::clone(&store), 1, cipher, Pool::new(4)),
            store,
            keys: Arc::new(domain_keys(1)),
        }
    }

    /// Writes a segment of its own upload, in pieces of at most `piece` bytes.
    pub async fn write(
        &self,
        id: PhysicalId,
        content: &Bytes,
        piece: usize,
    ) -> Result<FinishedSegment, BlobError> {
        let mut writer = self.blobs.create(&self.keys, new_segment(id)).await?;
        let mut rest = content.clone();
        while !rest.is_empty() {
            writer.write(rest.split_to(piece.min(rest.len()))).await?;
        }
        writer.finish().await
    }

    /// Writes a segment of that many bytes; returns its row and its content.
    pub async fn written(&self, length: usize) -> (SegmentRow, Bytes) {
        let content = content(length);
        let finished = self.write(fresh_id(), &content, 100_000).await;
        (finished.expect("writing succeeds").row, content)
    }

    /// Reads a range; returns what came before the error too.
    pub async fn read(&self, row: &SegmentRow, range: Range<u64>) -> (Vec<u8>, Option<BlobError>) {
        let mut bytes = Vec::new();
        let mut stream = match self.blobs.read(row, &self.keys, range).await {
            Ok(stream) => stream,
            Err(error) => return (bytes, Some(error)),
        };
        while let Some(next) = stream.next().await {
            match next {
                Ok(next) => bytes.extend_from_slice(&next),
                Err(error) => return (bytes, Some(error)),
            }
        }
        (bytes, None)
    }

    /// Asserts that a range reads back.
    pub async fn assert_reads(&self, row: &SegmentRow, content: &[u8], range: Range<usize>) {
        let (bytes, error) = self.read(row, range.start as u64..range.end as u64).await;
        assert!(error.is_none(), "{range:?}: {error:?}");
        assert!(
            content.get(range.clone()) == Some(&bytes[..]),
            "{range:?} differs"
        );
    }

    async fn what_was_written_reads_back(&self) {
        for length in [
            1,
            100,
            FRAME_LEN,
            FRAME_LEN + 1,
            SLAB_LEN,
            SLAB_LEN + 1,
            5 * SLAB_LEN + 77,
        ] {
            let (row, content) = self.written(length).await;
            assert_eq!(row.size, length as u64);
            self.assert_reads(&row, &content, 0..length).await;
            let stored = self
                .store
                .stat(row.physical_id)
                .await
                .expect("stat succeeds");
            assert!(stored >= Some(length as u64));
        }
    }

    async fn ranges_read_back(&self) {
        let length = 5 * SLAB_LEN + 77;
        let (row, content) = self.written(length).await;
        let edges = [
            0,
            1,
            FRAME_LEN - 1,
            FRAME_LEN,
            SLAB_LEN,
            4 * SLAB_LEN - 1,
            4 * SLAB_LEN,
            length - 1,
            length,
        ];
        for start in edges {
            for end in edges.into_iter().filter(|end| *end >= start) {
                self.assert_reads(&row, &content, start..end).await;
            }
        }
        let (_, error) = self.read(&row, 0..length as u64 + 1).await;
        assert!(matches!(error, Some(BlobError::Range { .. })));
    }

    async fn many_readers_share_an_object(&self) {
        let (row, content) = self.written(3 * SLAB_LEN).await;
        let readers: Vec<_> = (0..16)
            .map(|_| {
                let (rig, row) = (self.clone(), row.clone());
                tokio::spawn(async move { rig.read(&row, 0..row.size).await.0 })
            })
            .collect();
        for reader in readers {
            assert!(reader.await.expect("reader does not panic") == content);
        }
    }

    async fn ids_are_never_reused(&self) {
        let (row, content) = self.written(10).await;
        let again = self
            .write(row.physical_id, &super::suite::content(20), 20)
            .await;
        assert!(
            matches!(again, Err(BlobError::Exists(id)) if id == row.physical_id),
            "{again:?}"
        );
        self.assert_reads(&row, &content, 0..10).await;
    }

    async fn absent_objects_are_missing(&self) {
        let id = fresh_id();
        assert!(
            matches!(self.store.open(id, 0..1).await, Err(BlobError::Missing(missing)) if missing == id)
        );
        assert_eq!(self.store.stat(id).await.expect("stat succeeds"), None);
    }

    async fn deleting_twice_succeeds(&self) {
        let (row, content) = self.written(100).await;
        self.assert_reads(&row, &content, 0..100).await;
        for _ in 0..2 {
            self.store
                .delete(row.physical_id)
                .await
                .expect("deleting succeeds");
            assert_eq!(
                self.store
                    .stat(row.physical_id)
                    .await
                    .expect("stat succeeds"),
                None
            );
            let (_, error) = self.read(&row, 0..100).await;
            assert!(matches!(error, Some(BlobError::Missing(_))), "{error:?}");
        }
    }

    async fn aborting_removes(&self) {
        for length in [0, 10, 3 * SLAB_LEN] {
            let id = fresh_id();
            let mut writer = self
                .blobs
                .create(&self.keys, new_segment(id))
                .await
                .expect("creating succeeds");
            writer
                .write(content(length))
                .await
                .expect("writing succeeds");
            writer.abort().await.expect("aborting succeeds");
            assert_eq!(self.store.stat(id).await.expect("stat succeeds"), None);
        }
    }

    async fn a_dropped_writer_leaves_no_lock(&self) {
        let id = fresh_id();
        let mut writer = self
            .blobs
            .create(&self.keys, new_segment(id))
            .await
            .expect("creating succeeds");
        writer
            .write(content(3 * SLAB_LEN))
            .await
            .expect("writing succeeds");
        drop(writer);
        self.store.delete(id).await.expect("deleting succeeds");
    }

    async fn reading_past_the_end_is_truncation(&self) {
        let (row, _) = self.written(100).await;
        let stored = self
            .store
            .stat(row.physical_id)
            .await
            .expect("stat succeeds");
        let stored = stored.expect("it exists");
        let reader = self
            .store
            .open(row.physical_id, 0..stored + 1)
            .await
            .expect("opening succeeds");
        let fill = Fill::new(
            Decoder::raw(row.physical_id, stored + 1),
            super::pool::Buffer::frame(),
        );
        let error = reader
            .read(fill)
            .await
            .expect_err("there are no more bytes");
        assert!(
            matches!(error, BlobError::Damaged(_, Damage::Truncated)),
            "{error:?}"
        );
    }
}

/// Returns a segment that begins an upload.
pub fn new_segment(id: PhysicalId) -> NewSegment {
    NewSegment {
        physical_id: id,
        upload_id: UploadId::from_slice(&[3; 16]).expect("16 bytes are an id"),
        start: 0,
        hash: UploadHash::new(None),
    }
}

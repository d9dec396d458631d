//! How transfers use their buffers.

use std::sync::Arc;

use super::super::pool::{FRAME_LEN, SLAB_LEN};
use super::super::suite::content;
use super::super::{BlobError, Cipher};
use super::{FileRig, block_on};

#[test]
fn without_a_slab_a_transfer_goes_on_frame_by_frame() {
    block_on(async {
        let files = FileRig::new(Cipher::Aes256Gcm);
        let rig = &files.rig;
        let pool = rig.blobs.pool().clone();
        let held: Vec<_> = (0..4).map(|_| pool.try_acquire().unwrap()).collect();
        let (row, content) = rig.written(3 * SLAB_LEN + 1).await;
        let mut stream = rig.blobs.read(&row, &rig.keys, 0..row.size).await.unwrap();
        let mut longest = 0;
        let mut bytes = Vec::new();
        while let Some(next) = stream.next().await {
            let next = next.unwrap();
            longest = longest.max(next.len());
            bytes.extend_from_slice(&next);
        }
        assert!(bytes == content);
        assert_eq!(longest, FRAME_LEN);
        drop(held);
    });
}

#[test]
fn a_finished_transfer_has_given_back_its_slabs() {
    block_on(async {
        let files = FileRig::new(Cipher::Aes256Gcm);
        let rig = &files.rig;
        let (row, _) = rig.written(5 * SLAB_LEN).await;
        rig.read(&row, 0..row.size).await;
        let pool = rig.blobs.pool();
        let held: Vec<_> = std::iter::from_fn(|| pool.try_acquire()).collect();
        assert_eq!(held.len(), 4);
    });
}

#[test]
fn a_pull_hands_out_whole_slabs() {
    block_on(async {
        let files = FileRig::new(Cipher::Aes256Gcm);
        let rig = &files.rig;
        let (row, _) = rig.written(2 * SLAB_LEN).await;
        let mut stream = rig.blobs.read(&row, &rig.keys, 0..row.size).await.unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap().len(), SLAB_LEN);
    });
}

#[test]
fn a_blob_range_outside_of_its_segments_is_refused() {
    block_on(async {
        let files = FileRig::new(Cipher::Aes256Gcm);
        let rig = &files.rig;
        let (row, _) = rig.written(10).await;
        let keys = Arc::clone(&rig.keys);
        let refused = rig.blobs.read_blob(vec![row], keys, &(5..11));
        assert!(matches!(
            refused,
            Err(BlobError::Range {
                start: 5,
                end: 11,
                size: 10
            })
        ));
    });
}

#[test]
fn a_missing_segment_ends_the_blob_with_an_error() {
    block_on(async {
        let files = FileRig::new(Cipher::Aes256Gcm);
        let rig = &files.rig;
        let (one, _) = rig.written(10).await;
        let (two, _) = rig.written(10).await;
        rig.store.delete(two.physical_id).await.unwrap();
        let rows = vec![one.clone(), two, one];
        let mut stream = rig
            .blobs
            .read_blob(rows, Arc::clone(&rig.keys), &(0..30))
            .unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap(), content(10));
        assert!(matches!(
            stream.next().await,
            Some(Err(BlobError::Missing(_)))
        ));
        assert!(stream.next().await.is_none());
    });
}

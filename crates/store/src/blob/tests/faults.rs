//! A failure at any call leaves nothing that reads as something else.

use std::sync::Arc;

use super::super::fault::{FaultStore, When};
use super::super::pool::SLAB_LEN;
use super::super::suite::{Rig, content, fresh_id, new_segment};
use super::super::{BlobError, Cipher};
use super::{FileRig, block_on};

const LENGTH: usize = 3 * SLAB_LEN + 5;

/// Runs a round with a fault at call 0, 1, … until one meets no fault; returns how many failed.
async fn each_fault<F: AsyncFn(&Rig, &FaultStore)>(files: &FileRig, when: When, round: F) -> usize {
    for at in 0..1000 {
        let store = FaultStore::new(Arc::clone(&files.rig.store), at, when);
        let rig = Rig::new(Arc::new(store.clone()), Cipher::Aes256Gcm);
        round(&rig, &store).await;
        if !store.has_failed() {
            return at;
        }
    }
    panic!("every round met a fault");
}

#[test]
fn a_failed_write_leaves_no_segment_that_reads_wrong() {
    block_on(async {
        let files = FileRig::new(Cipher::Aes256Gcm);
        for when in [When::Before, When::After] {
            let failed = each_fault(&files, when, async |rig, store| {
                let (id, content) = (fresh_id(), content(LENGTH));
                let written = rig.write(id, &content, 50_000).await;
                assert_eq!(written.is_ok(), !store.has_failed());
                match files
                    .rig
                    .blobs
                    .recover(files.rig.blobs.store_id(), id, &rig.keys)
                    .await
                {
                    Ok(found) => {
                        files
                            .rig
                            .assert_reads(&found.row, &content, 0..LENGTH)
                            .await;
                        assert!(
                            written.is_ok_and(|written| written.row == found.row)
                                || when == When::After
                        );
                    }
                    Err(error) => assert!(written.is_err(), "{error}"),
                }
                files.rig.store.delete(id).await.unwrap();
            });
            // Create, three full slabs or more, finish.
            assert!(failed.await >= 5);
        }
    });
}

#[test]
fn a_failed_read_ends_in_an_error_after_a_right_prefix() {
    block_on(async {
        let files = FileRig::new(Cipher::Aes256Gcm);
        let (row, content) = files.rig.written(LENGTH).await;
        for when in [When::Before, When::After] {
            let failed = each_fault(&files, when, async |rig, store| {
                let (bytes, error) = rig.read(&row, 0..row.size).await;
                assert!(content.starts_with(&bytes));
                assert_eq!(error.is_some(), store.has_failed());
                assert_eq!(bytes.len() == LENGTH, error.is_none());
            });
            assert!(failed.await >= 5);
        }
    });
}

#[test]
fn a_writer_that_failed_stays_failed() {
    block_on(async {
        let files = FileRig::new(Cipher::Aes256Gcm);
        let store = FaultStore::new(Arc::clone(&files.rig.store), 1, When::Before);
        let rig = Rig::new(Arc::new(store), Cipher::Aes256Gcm);
        let mut writer = rig
            .blobs
            .create(&rig.keys, new_segment(fresh_id()))
            .await
            .unwrap();
        let mut errors = 0;
        for _ in 0..4 {
            errors += usize::from(writer.write(content(SLAB_LEN)).await.is_err());
        }
        assert!(errors > 0);
        assert!(matches!(
            writer.finish().await,
            Err(BlobError::Failed(_) | BlobError::Io { .. })
        ));
    });
}

#[test]
fn an_empty_segment_is_never_made() {
    block_on(async {
        let files = FileRig::new(Cipher::Aes256Gcm);
        let segment = new_segment(fresh_id());
        let writer = files
            .rig
            .blobs
            .create(&files.rig.keys, segment)
            .await
            .unwrap();
        assert!(matches!(writer.finish().await, Err(BlobError::Empty(_))));
    });
}

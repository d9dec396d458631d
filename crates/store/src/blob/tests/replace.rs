//! A copy takes the place of what lies under its name when it is whole, and not before.

use std::sync::Arc;

use super::super::fault::{FaultStore, When};
use super::super::pool::{Pool, SLAB_LEN};
use super::super::suite::{Rig, content};
use super::super::{Cipher, FileStore, SegmentStore, Stored};
use super::{FileRig, block_on};

/// Copies segments over what lies in a store that fails from any call on.
pub(in crate::blob) async fn replaces(store: Arc<dyn SegmentStore>) {
    let files = FileRig::new(Cipher::Aes256Gcm);
    let (from, there) = (&files.rig, Rig::new(Arc::clone(&store), Cipher::Aes256Gcm));
    let stored = |store: &Arc<dyn SegmentStore>| Stored::new(Arc::clone(store), Pool::new(4));
    let (source, target) = (stored(&from.store), stored(&store));
    for when in [When::Before, When::After] {
        let mut steps = 0;
        loop {
            let (row, whole) = from.written(3 * SLAB_LEN).await;
            let id = row.physical_id;
            there.write(id, &content(500), 500).await.unwrap();
            let failing = FaultStore::new(Arc::clone(&store), steps, when);
            let to = Stored::new(Arc::new(failing.clone()), Pool::new(4));
            let copied = source.copy_over(&row, &from.keys, &to).await;
            assert_eq!(copied.is_ok(), !failing.has_failed());
            assert!(store.stat(id).await.unwrap().is_some(), "{steps}");
            let again = source.copy_over(&row, &from.keys, &target).await;
            again.unwrap();
            target.verify(&row, &from.keys).await.unwrap();
            there.assert_reads(&row, &whole, 0..whole.len()).await;
            if !failing.has_failed() {
                break;
            }
            steps += 1;
        }
        assert!(steps > 3, "{steps}");
    }
}

#[test]
fn a_copy_of_files_replaces_what_is_there_when_it_is_whole() {
    block_on(async {
        for open in [FileStore::open, FileStore::open_for_copies] {
            let directory = tempfile::tempdir().unwrap();
            replaces(Arc::new(open(directory.path()).unwrap())).await;
        }
    });
}

#[test]
fn what_is_not_whole_replaces_nothing() {
    block_on(async {
        let (files, others) = (
            FileRig::new(Cipher::Aes256Gcm),
            FileRig::new(Cipher::Aes256Gcm),
        );
        let (row, _) = files.rig.written(3 * SLAB_LEN).await;
        let id = row.physical_id;
        others.rig.write(id, &content(500), 500).await.unwrap();
        let there = others.file(id);
        let mut rotten = files.file(id);
        rotten[2 * SLAB_LEN] ^= 1;
        files.overwrite(id, &rotten);
        let stored = |rig: &Rig| Stored::new(Arc::clone(&rig.store), Pool::new(4));
        let (source, target) = (stored(&files.rig), stored(&others.rig));
        let copied = source.copy_over(&row, &files.rig.keys, &target).await;
        copied.unwrap_err();
        assert_eq!(others.file(id), there);
    });
}

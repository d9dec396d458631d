use std::fs;
use std::sync::Arc;

use rustix::fs::{Advice, fadvise};

use super::super::pool::SLAB_LEN;
use super::super::suite::{self, Rig, fresh_id};
use super::super::{Cipher, SegmentStore};
use super::*;

#[tokio::test]
async fn files_pass_the_suite() {
    let directory = tempfile::tempdir().unwrap();
    suite::all(Arc::new(FileStore::open(directory.path()).unwrap())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_pass_the_suite_on_many_threads_behind_a_wrapper() {
    let directory = tempfile::tempdir().unwrap();
    let inner: Arc<dyn SegmentStore> = Arc::new(FileStore::open(directory.path()).unwrap());
    let never =
        super::super::fault::FaultStore::new(inner, usize::MAX, super::super::fault::When::Before);
    suite::all(Arc::new(never)).await;
}

#[tokio::test]
async fn a_file_outside_of_the_page_cache_reads_back() {
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::new(
        Arc::new(FileStore::open(directory.path()).unwrap()),
        Cipher::Aes256Gcm,
    );
    let (row, content) = rig.written(6 * SLAB_LEN + 9).await;
    let tree = Tree::open(directory.path()).unwrap();
    let file = tree.open_file(row.physical_id).unwrap();
    for kept in [0, 100_000, 1_000_000] {
        fadvise(&file, kept, None, Advice::DontNeed).unwrap();
        rig.assert_reads(&row, &content, 0..content.len()).await;
    }
}

#[tokio::test]
async fn the_tree_survives_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::new(
        Arc::new(FileStore::open(directory.path()).unwrap()),
        Cipher::Aes256Gcm,
    );
    let (row, content) = rig.written(100).await;
    let rig = Rig::new(
        Arc::new(FileStore::open(directory.path()).unwrap()),
        Cipher::Aes256Gcm,
    );
    rig.assert_reads(&row, &content, 0..100).await;
}

#[tokio::test]
async fn a_deleted_file_is_held_open_by_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileStore::open(directory.path()).unwrap();
    let rig = Rig::new(Arc::new(store.clone()), Cipher::Aes256Gcm);
    let (row, content) = rig.written(100).await;
    rig.assert_reads(&row, &content, 0..100).await;
    assert!(store.descriptors.find(row.physical_id).is_some());
    rig.store.delete(row.physical_id).await.unwrap();
    assert!(store.descriptors.find(row.physical_id).is_none());
}

#[tokio::test]
async fn files_are_private_to_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let tree = Tree::open(directory.path()).unwrap();
    let id = fresh_id();
    tree.create(id, false).unwrap();
    assert_eq!(
        fs::metadata(tree.path(id)).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[tokio::test]
async fn a_directory_is_bound_to_one_store() {
    let directory = tempfile::tempdir().unwrap();
    suite::binding(|| Arc::new(FileStore::open(directory.path()).unwrap())).await;
}

#[tokio::test]
async fn a_directory_whose_files_are_gone_is_refused_and_damages_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let files = FileStore::open(directory.path()).unwrap();
    files.bind("one", false).await.unwrap();
    files.check().await.unwrap();
    let gone = fresh_id();
    assert!(matches!(
        files.open(gone, 0..1).await,
        Err(BlobError::Missing(_))
    ));
    fs::remove_dir_all(directory.path().join("blobs")).unwrap();
    files.check().await.unwrap_err();
    assert!(matches!(
        files.open(gone, 0..1).await,
        Err(BlobError::Io { .. })
    ));
    // What cannot be seen is not removed, or its row would go and the file come back.
    assert!(matches!(
        files.delete(gone).await,
        Err(BlobError::Io { .. })
    ));
    assert!(matches!(
        files.create(gone).await,
        Err(BlobError::Io { .. })
    ));
    let reopened = FileStore::open(directory.path()).unwrap();
    reopened.bind("one", true).await.unwrap_err();
}

#[tokio::test]
async fn a_directory_that_comes_to_stand_in_its_place_gets_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let files = FileStore::open(directory.path()).unwrap();
    files.bind("one", false).await.unwrap();
    let rig = Rig::new(Arc::new(files.clone()), Cipher::Aes256Gcm);
    let (old, content) = rig.written(100).await;
    // As when a file system is unmounted, and its mount point is what the path leads to.
    let (path, moved) = (
        directory.path().join("blobs"),
        directory.path().join("moved"),
    );
    fs::rename(&path, &moved).unwrap();
    fs::create_dir(&path).unwrap();
    files.check().await.unwrap_err();
    let (new, _) = rig.written(100).await;
    rig.assert_reads(&old, &content, 0..100).await;
    rig.store.delete(old.physical_id).await.unwrap();
    assert!(!moved.join(name_of(old.physical_id)).exists());
    assert!(moved.join(name_of(new.physical_id)).exists());
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
}

fn name_of(id: PhysicalId) -> String {
    let [.., last] = id.as_bytes();
    format!("{last:02x}/{id}")
}

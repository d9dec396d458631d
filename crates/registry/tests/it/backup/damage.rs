//! What is rotten or missing, in the store or in the backup, and what comes of it.

use std::{fs, path::Path};

use longshore_registry::{
    bootstrap,
    keys::Keys,
    operator::{
        backup::{BackupError, Options},
        restore,
    },
};
use longshore_store::crypto::MasterKey;

use super::{
    Elsewhere, LARGE, backed_up, files, image, keys, made, place, pulled, restored, upload,
    with_two_images,
};
use crate::harness::{TestCore, digest_of};

#[tokio::test]
async fn a_segment_that_is_rotten_in_the_store_is_told_and_does_not_come_in() {
    let (t, images) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    let (_, layer) = image(&t, "app", 3).await;
    // The first two are in the backup as they were.
    for (path, mut bytes) in t.contents() {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let done = backed_up(&t, dir.path()).await;
    assert_eq!((done.copied_segments, done.damaged_segments), (0, 1));
    assert_eq!(done.lost.len(), 1);
    assert_eq!(done.lost[0].digest, digest_of(&layer).to_string());
    assert_eq!(done.lost[0].images[0].tags, ["v3"]);
    assert_eq!(files(dir.path()).len(), 2);
    drop(images);
}

#[tokio::test]
async fn a_backup_that_misses_a_segment_says_which_images_and_serves_nothing() {
    let (t, images) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    let mut copies = files(dir.path());
    copies.sort();
    fs::remove_file(&copies[0]).unwrap();
    let mut rotten = fs::read(&copies[1]).unwrap();
    rotten[LARGE / 2] ^= 1;
    fs::write(&copies[1], rotten).unwrap();

    let place = place(dir.path());
    let backup = place.open(None, &keys()).await.unwrap();
    let elsewhere = Elsewhere::new(&t, false);
    let (done, damaged) = elsewhere.bring(&place, &backup).await.unwrap();
    assert_eq!((done.copied_segments, done.damaged_segments), (0, 2));
    let meta = elsewhere.metadata();
    let lost = restore::lost(&meta, &damaged).await.unwrap();
    let mut named: Vec<&str> = lost.iter().map(|lost| &*lost.images[0].digest).collect();
    named.sort_unstable();
    let mut expected: Vec<&str> = images.iter().map(|(digest, _)| &**digest).collect();
    expected.sort_unstable();
    assert_eq!(named, expected);
    let text = lost[0].to_string();
    assert!(text.contains("/eu-central-1/app@sha256:"), "{text}");
    // Nobody serves it, until somebody says that it may be without them.
    bootstrap::check_whole(&meta).await.unwrap_err();
    restore::mark_lost(&meta, &lost, &damaged).await.unwrap();
    restore::finish(&backup, &meta).await.unwrap();
    let other = t.over_core(elsewhere.core(&t).await);
    for (_, layer) in &images {
        assert_eq!(pulled(&other, "app", layer).await, None);
    }
    // Pushed again, they are whole.
    for (_, layer) in &images {
        other.blob("app", layer).await;
        assert_eq!(pulled(&other, "app", layer).await.as_ref(), Some(layer));
    }
}

#[tokio::test]
async fn an_upload_whose_bytes_are_lost_does_not_become_a_blob() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let upload = upload(&t).await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    fs::remove_file(&files(dir.path())[0]).unwrap();
    let place = place(dir.path());
    let backup = place.open(None, &keys()).await.unwrap();
    let elsewhere = Elsewhere::new(&t, false);
    let (_, damaged) = elsewhere.bring(&place, &backup).await.unwrap();
    let meta = elsewhere.metadata();
    let lost = restore::lost(&meta, &damaged).await.unwrap();
    assert_eq!((damaged.len(), lost.len()), (1, 0));
    restore::mark_lost(&meta, &lost, &damaged).await.unwrap();
    restore::finish(&backup, &meta).await.unwrap();
    let other = t.over_core(elsewhere.core(&t).await);
    let more = other.append("app", upload, b"more".to_vec());
    assert!(more.await.is_err());
}

#[tokio::test]
async fn a_changed_backup_is_refused() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    let done = backed_up(&t, dir.path()).await;
    let place = place(dir.path());
    let wrong = Keys::new(MasterKey::parse(&"5b".repeat(32)).unwrap().into());
    let error = place.open(None, &wrong).await.unwrap_err().to_string();
    assert!(error.contains("the master key is not the one"), "{error}");

    let of = |name: &str| dir.path().join("backups").join(&done.id).join(name);
    let manifest = fs::read_to_string(of("manifest")).unwrap();
    let changed = manifest.replacen("\"segments\":2", "\"segments\":1", 1);
    assert_ne!(manifest, changed);
    fs::write(of("manifest"), changed).unwrap();
    let error = place.open(None, &keys()).await.unwrap_err().to_string();
    assert!(error.contains("it was changed"), "{error}");
    fs::write(of("manifest"), manifest).unwrap();

    let mut chunk = fs::read(of("chunk-000000")).unwrap();
    chunk[100] ^= 1;
    fs::write(of("chunk-000000"), chunk).unwrap();
    let backup = place.open(None, &keys()).await.unwrap();
    let elsewhere = Elsewhere::new(&t, false);
    let error = elsewhere.bring(&place, &backup).await.unwrap_err();
    assert!(
        error.to_string().contains("its SHA-256 is another"),
        "{error}"
    );
}

/// Changes a byte in the middle of a file.
fn rot(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

const VERIFIED: Options = Options {
    keep: Some(1),
    verify: true,
};

#[tokio::test]
async fn what_is_rotten_in_the_place_is_copied_again() {
    let (t, images) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    let copies = files(dir.path());
    rot(&copies[0]);
    fs::remove_file(&copies[1]).unwrap();
    let length = fs::read(&copies[0]).unwrap().len();
    fs::write(&copies[1], vec![0; length]).unwrap();
    let place = place(dir.path());
    let done = made(&t, &place, VERIFIED).await;
    assert_eq!((done.verified_segments, done.healed_segments), (2, 2));
    assert_eq!((done.damaged_segments, done.lost.len()), (0, 0));
    assert_eq!(done.removed_backups.len(), 1);
    let again = made(&t, &place, VERIFIED).await;
    assert_eq!((again.verified_segments, again.healed_segments), (2, 0));
    let (other, _elsewhere) = restored(&t, dir.path(), false).await;
    for (_, layer) in &images {
        assert_eq!(pulled(&other, "app", layer).await.as_ref(), Some(layer));
    }
}

#[tokio::test]
async fn what_is_rotten_in_both_is_told_of_both_and_removes_nothing() {
    let (t, images) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    let copy = files(dir.path()).remove(0);
    rot(&copy);
    let rotten = fs::read(&copy).unwrap();
    let name = copy.file_name().unwrap();
    let contents = t.contents().into_iter();
    let own = contents
        .map(|(path, _)| path)
        .find(|path| path.file_name() == Some(name));
    rot(&own.unwrap());
    // It is there, so a backup that reads nothing again does not see it.
    let done = made(&t, &place(dir.path()), Options::default()).await;
    assert_eq!(done.damaged_segments, 0);
    let done = made(&t, &place(dir.path()), VERIFIED).await;
    assert_eq!((done.healed_segments, done.damaged_segments), (0, 1));
    let problem = &done.lost[0].problem;
    assert!(
        problem.contains("in the backup") && problem.contains("in the store"),
        "{problem}"
    );
    let needed = &done.lost[0].images[0].digest;
    assert!(images.iter().any(|(digest, _)| digest == needed));
    assert!(done.removed_backups.is_empty() && done.not_removed.is_some());
    // What is left of it may be worth something.
    assert_eq!(fs::read(&copy).unwrap(), rotten);
}

#[tokio::test]
async fn a_place_without_its_segments_is_not_one_that_misses_each() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    let backup = place(dir.path()).open(None, &keys()).await.unwrap();
    // The file system is gone while they are read.
    let opened = place(dir.path());
    opened.open(None, &keys()).await.unwrap();
    fs::rename(dir.path().join("blobs"), dir.path().join("elsewhere")).unwrap();
    fs::create_dir(dir.path().join("blobs")).unwrap();
    let elsewhere = Elsewhere::new(&t, false);
    place(dir.path()).open(None, &keys()).await.unwrap_err();
    fs::remove_file(dir.path().join("elsewhere/store-id")).unwrap();
    for shard in fs::read_dir(dir.path().join("elsewhere")).unwrap() {
        fs::remove_dir_all(shard.unwrap().path()).unwrap();
    }
    let error = elsewhere.bring(&opened, &backup).await.unwrap_err();
    assert!(matches!(error, BackupError::Segment(_)), "{error:?}");
}

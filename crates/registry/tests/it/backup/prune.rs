//! What is removed from a place, and when.

use std::{fs, path::Path, time::Duration};

use longshore_registry::op::image::BatchDeleteImage;
use serde_json::json;

use super::{
    backed_up, dead, files, image, keeping, keys, made, place, pulled, restored, with_two_images,
};

#[tokio::test]
async fn what_no_kept_backup_needs_is_removed() {
    let (t, images) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    let gone = json!({"repositoryName": "app", "imageIds": [{"imageDigest": images[0].0}]});
    t.ok::<BatchDeleteImage>(gone).await;
    for _ in 0..2 {
        t.advance(Duration::from_hours(25));
        t.sweep().await;
    }
    image(&t, "app", 3).await;
    let kept = made(&t, &place(dir.path()), keeping(2)).await;
    assert_eq!(kept.removed_segments, 0);
    let done = made(&t, &place(dir.path()), keeping(2)).await;
    assert_eq!((done.removed_backups.len(), done.removed_segments), (1, 1));
    assert_eq!(files(dir.path()).len(), 2);
    let (other, _elsewhere) = restored(&t, dir.path(), false).await;
    assert_eq!(pulled(&other, "app", &images[0].1).await, None);
    assert!(pulled(&other, "app", &images[1].1).await.is_some());
}

/// What is left of a backup.
fn left(dir: &Path, id: &str) -> Vec<String> {
    let left = fs::read_dir(dir.join("backups").join(id)).unwrap();
    left.map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn what_a_dead_backup_left_is_cleared_away_a_day_later() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    let begun = dead(&t, dir.path(), "/manifest").await;
    let place = place(dir.path());
    assert!(place.list().await.unwrap().is_empty());
    let done = backed_up(&t, dir.path()).await;
    assert_eq!((done.segments, done.copied_segments), (2, 0));
    // Somebody slow may still be at it.
    assert!(!left(dir.path(), &begun).is_empty());
    t.advance(Duration::from_hours(25));
    backed_up(&t, dir.path()).await;
    let left = left(dir.path(), &begun);
    assert!(left.is_empty(), "{begun} {} {left:?}", done.id);
    assert_eq!(files(dir.path()).len(), 2);
    assert_eq!(place.list().await.unwrap().len(), 2);
}

/// Changes a byte of the rows of a backup.
fn rot_rows(dir: &Path, id: &str) -> Vec<u8> {
    let path = dir.join("backups").join(id).join("chunk-000000");
    let whole = fs::read(&path).unwrap();
    let mut rotten = whole.clone();
    rotten[100] ^= 1;
    fs::write(path, rotten).unwrap();
    whole
}

#[tokio::test]
async fn nothing_is_removed_while_a_kept_backup_does_not_tell_what_it_needs() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(backed_up(&t, dir.path()).await.id);
    }
    let whole = rot_rows(dir.path(), &ids[2]);
    let place = place(dir.path());
    let done = made(&t, &place, keeping(2)).await;
    let why = done.not_removed.unwrap();
    assert!(why.contains(&ids[2]), "{why}");
    assert!(done.removed_backups.is_empty());
    assert_eq!(place.list().await.unwrap().len(), 4);
    // It came back.
    let rows = format!("backups/{}/chunk-000000", ids[2]);
    fs::write(dir.path().join(rows), whole).unwrap();
    let again = made(&t, &place, keeping(2)).await;
    assert_eq!((again.removed_backups.len(), again.not_removed), (3, None));
}

#[tokio::test]
async fn a_dead_backup_of_which_rows_are_rotten_holds_up_nothing() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    let begun = dead(&t, dir.path(), "/manifest").await;
    rot_rows(dir.path(), &begun);
    let first = backed_up(&t, dir.path()).await;
    t.advance(Duration::from_hours(25));
    let place = place(dir.path());
    let second = made(&t, &place, keeping(1)).await;
    assert_eq!(second.removed_backups, [first.id]);
    let why = second.not_removed.unwrap();
    assert!(why.contains(&begun), "{why}");
    assert!(left(dir.path(), &begun).is_empty());
    assert_eq!(made(&t, &place, keeping(1)).await.not_removed, None);
}

#[tokio::test]
async fn a_manifest_that_somebody_planted_is_no_backup() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    let planted = dir.path().join("backups/99991231T000000Z-000000");
    fs::create_dir_all(&planted).unwrap();
    fs::write(planted.join("manifest"), "{}\n00\n").unwrap();
    let place = place(dir.path());
    let mut ids = Vec::new();
    for _ in 0..3 {
        let done = made(&t, &place, keeping(2)).await;
        assert_eq!(done.not_removed, None);
        t.advance(Duration::from_mins(1));
        ids.push(done.id);
    }
    let listed = place.list().await.unwrap().into_iter();
    let listed: Vec<String> = listed.map(|manifest| manifest.id).collect();
    assert_eq!(listed, ids[1..]);
    let opened = place.open_latest(&keys()).await.unwrap();
    assert_eq!(opened.backup.manifest.id, ids[2]);
    assert!(opened.passed_by.is_empty());
}

#[tokio::test]
async fn a_backup_that_does_not_open_is_passed_by_and_evicts_none() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    let first = backed_up(&t, dir.path()).await;
    // Whoever can read and write there makes a later one of it.
    let later = "99991231T000000Z-000000";
    let of = |id: &str| dir.path().join("backups").join(id);
    fs::create_dir(of(later)).unwrap();
    for name in ["begin", "chunk-000000", "manifest"] {
        fs::copy(of(&first.id).join(name), of(later).join(name)).unwrap();
    }
    let place = place(dir.path());
    let second = made(&t, &place, keeping(1)).await;
    assert!(second.id.as_str() < later);
    assert!(second.removed_backups.is_empty());
    let why = second.not_removed.unwrap();
    assert!(why.contains(later), "{why}");
    let opened = place.open_latest(&keys()).await.unwrap();
    assert_eq!(opened.backup.manifest.id, second.id);
    assert!(
        opened.passed_by[0].starts_with(later),
        "{:?}",
        opened.passed_by
    );
    place.open(Some(&first.id), &keys()).await.unwrap();
    place.open(Some(later), &keys()).await.unwrap_err();
}

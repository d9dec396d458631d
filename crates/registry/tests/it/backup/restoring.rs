//! What a restore takes, and what it leaves alone.

use std::{fs, time::Duration};

use longshore_registry::operator::{
    gc,
    restore::{self, Restored},
};
use tokio::sync::Semaphore;

use super::{
    Elsewhere, LARGE, backed_up, files, image, keys, place, pulled, restored, with_two_images,
};
use crate::harness::TestCore;

#[tokio::test]
async fn a_store_that_holds_anything_is_not_restored_over() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    let place = place(dir.path());
    let backup = place.open(None, &keys()).await.unwrap();
    let mut done = Restored::of(&backup);
    let error = restore::rows(&place, &backup, &t.core.meta, &[], &mut done, |_| {}).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("the store is not empty"), "{error}");
}

#[tokio::test]
async fn a_restore_that_was_stopped_goes_on() {
    let t = TestCore::start().await;
    t.repository("app").await;
    // Several transactions' worth of rows.
    for seed in 0..40_u8 {
        image(&t, "app", seed).await;
    }
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    let place = place(dir.path());
    let backup = place.open(None, &keys()).await.unwrap();
    let elsewhere = Elsewhere::new(&t, false);
    let meta = elsewhere.metadata();
    assert_eq!(restore::begun(&backup, &meta).await.unwrap(), None);
    for name in ["here", "there"] {
        let mut done = Restored::of(&backup);
        let names = [name.to_owned()];
        restore::rows(&place, &backup, &meta, &names, &mut done, |_| {})
            .await
            .unwrap();
    }
    let begun = restore::begun(&backup, &meta).await.unwrap();
    assert_eq!(
        begun.unwrap().into_iter().collect::<Vec<_>>(),
        ["here", "there"]
    );
    let stop = Semaphore::new(0);
    let blobs = elsewhere.blobs();
    let (keys, mut partly) = (keys(), Restored::of(&backup));
    let bringing = restore::segments(&place, &meta, &blobs, &keys, &mut partly, |done| {
        if done.copied_segments == 10 {
            stop.add_permits(1);
        }
    });
    tokio::select! {
        biased;
        _ = stop.acquire() => {}
        done = bringing => panic!("{done:?}"),
    }
    drop(meta);
    let (done, damaged) = elsewhere.bring(&place, &backup).await.unwrap();
    assert!(damaged.is_empty() && done.copied_segments <= 30, "{done:?}");
    restore::finish(&backup, &elsewhere.metadata())
        .await
        .unwrap();
    let other = t.over_core(elsewhere.core(&t).await);
    for seed in 0..40 {
        let layer = vec![seed; LARGE];
        assert_eq!(pulled(&other, "app", &layer).await, Some(layer));
    }
}

#[tokio::test]
async fn nothing_is_collected_for_a_day_after_a_restore() {
    let (t, images) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    t.blob("app", b"promised").await;
    backed_up(&t, dir.path()).await;
    drop(images);
    // A week later every promise seems to have ended.
    t.advance(Duration::from_hours(24 * 7));
    let (other, _elsewhere) = restored(&t, dir.path(), false).await;
    other.sweep().await;
    let told = gc::collect(&other.core, |_| {}).await.unwrap();
    assert_eq!((told.links, told.paused_until.is_some()), (0, true));
    t.advance(Duration::from_hours(25));
    let told = gc::collect(&other.core, |_| {}).await.unwrap();
    assert_eq!((told.links, told.paused_until), (1, None));
}

#[tokio::test]
async fn a_jump_of_the_clock_is_known_to_other_processes() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.blob("app", b"unused").await;
    t.advance(Duration::from_hours(30));
    // The store's time stands still at what it was; the first look notices.
    t.core.meta.now();
    t.set_back(Duration::from_hours(2));
    t.core.meta.now();
    t.sweep().await;
    t.advance(Duration::from_hours(2));
    let other = t.another_process().await;
    assert_eq!(other.core.meta.clock_jumped_at(), None);
    let told = gc::collect(&other.core, |_| {}).await.unwrap();
    assert_eq!((told.links, told.paused_until.is_some()), (0, true));
    t.advance(Duration::from_hours(25));
    let told = gc::collect(&other.core, |_| {}).await.unwrap();
    assert_eq!((told.links, told.paused_until), (1, None));
}

#[tokio::test]
async fn what_is_there_already_is_proven_and_not_taken_by_its_length() {
    let (t, images) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    backed_up(&t, dir.path()).await;
    let place = place(dir.path());
    let backup = place.open(None, &keys()).await.unwrap();
    let elsewhere = Elsewhere::new(&t, false);
    elsewhere.bring(&place, &backup).await.unwrap();
    let path = files(elsewhere.dir.path()).remove(0);
    let mut rotten = fs::read(&path).unwrap();
    rotten[LARGE / 2] ^= 1;
    fs::write(&path, rotten).unwrap();
    let (done, damaged) = elsewhere.bring(&place, &backup).await.unwrap();
    assert_eq!((done.copied_segments, damaged.len()), (1, 0));
    restore::finish(&backup, &elsewhere.metadata())
        .await
        .unwrap();
    let other = t.over_core(elsewhere.core(&t).await);
    for (_, layer) in &images {
        assert_eq!(pulled(&other, "app", layer).await.as_ref(), Some(layer));
    }
}

//! The keys of domains are exchanged in steps, any of which may be the last before a crash.

use std::{cell::Cell, time::Duration};

use bytes::Bytes;
use longshore_registry::{
    body::Whole,
    oci::upload::{AppendUpload, CloseUpload, StartUpload, Started},
    operator::{
        rekey::domains::{Options, Rekeyed, rekey},
        scrub,
    },
};
use longshore_store::meta::Durability;
use longshore_types::id::UploadId;
use tokio::sync::Notify;

use super::manifest_of;
use crate::harness::{TestCore, digest_of};

const LARGE: usize = 200_000;

/// A store with all that a domain's key seals: manifests, inline bytes, segments, and an upload half-way.
struct World {
    t: TestCore,
    upload: UploadId,
}

impl World {
    async fn new() -> Self {
        let t = TestCore::start().await;
        t.repository("app").await;
        t.image("app", "image", Some("v1")).await;
        t.blob("app", &large(1)).await;
        let start = StartUpload {
            repository: t.at("app"),
            mount: None,
            sha512: false,
        };
        let Started::Upload(upload) = t.run(start).await.unwrap() else {
            panic!("something was mounted");
        };
        let world = Self { t, upload };
        world.append(&large(2)).await;
        world.append(b"and a little more").await;
        world
    }

    async fn append(&self, bytes: &[u8]) {
        self.t
            .run(AppendUpload {
                repository: self.t.at("app"),
                upload: self.upload,
                range: None,
                body: Box::new(Whole::new(Bytes::copy_from_slice(bytes))),
            })
            .await
            .unwrap();
    }

    /// Whether all is still there for a server that has nothing in its caches.
    async fn is_whole(&self) {
        let t = self.t.replica().await;
        manifest_of(&t, "app").await;
        let done = scrub::scrub(&t.core, scrub::Options::default(), |_| {})
            .await
            .unwrap();
        assert_eq!((done.damaged, done.blobs), (0, 3), "{done:?}");
    }
}

fn large(seed: u8) -> Vec<u8> {
    vec![seed; LARGE]
}

async fn run(t: &TestCore, finish: bool) -> Rekeyed {
    rekey(&t.core, Options { finish }, |_| {
        t.advance(Duration::from_secs(5));
    })
    .await
    .unwrap()
}

/// Runs so many steps and stops there; returns whether that was all.
async fn stopped_after(t: &TestCore, steps: usize) -> bool {
    let (stop, left) = (Notify::new(), Cell::new(steps));
    let running = rekey(&t.core, Options::default(), |_| {
        t.advance(Duration::from_secs(5));
        left.set(left.get().saturating_sub(1));
        if left.get() == 0 {
            stop.notify_one();
        }
    });
    tokio::select! {
        biased;
        () = stop.notified() => false,
        done = running => {
            done.unwrap();
            true
        }
    }
}

#[tokio::test]
async fn all_that_a_domain_has_sealed_is_sealed_by_its_new_key() {
    let world = World::new().await;
    let t = &world.t;
    // Waiting for the clock that tests move by hand.
    t.advance(Duration::from_mins(1));
    let done = run(t, false).await;
    assert_eq!((done.new_keys, done.old_keys, done.unreadable), (1, 1, 0));
    // Two inline pieces of the image, one of the upload, two segments, a manifest and a hash.
    assert_eq!((done.resealed, done.removed_keys), (7, 0), "{done:?}");
    world.is_whole().await;
    // What has sealed lately stays.
    let done = run(t, true).await;
    assert_eq!((done.resealed, done.removed_keys, done.old_keys), (0, 0, 1));
    t.advance(Duration::from_hours(26));
    let done = run(t, true).await;
    assert_eq!((done.resealed, done.removed_keys, done.old_keys), (0, 1, 0));
    assert_eq!(done.new_keys, 0);
    manifest_of(&t.replica().await, "app").await;
}

#[tokio::test]
async fn an_upload_that_was_begun_under_the_old_key_is_closed_under_the_new() {
    let world = World::new().await;
    let t = &world.t;
    t.advance(Duration::from_mins(1));
    run(t, false).await;
    let t = t.replica().await;
    let rest = b"and the rest";
    let digest = digest_of(&[&large(2)[..], b"and a little more", rest].concat());
    t.run(CloseUpload {
        repository: t.at("app"),
        upload: world.upload,
        range: None,
        digest,
        has_body: true,
        body: Box::new(Whole::new(Bytes::copy_from_slice(rest))),
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn it_may_be_stopped_at_any_step_and_goes_on_there() {
    for steps in (1..).step_by(3) {
        let world = World::new().await;
        let t = &world.t;
        t.advance(Duration::from_mins(1));
        let all = stopped_after(t, steps).await;
        world.is_whole().await;
        if all {
            assert!(steps > 12, "it has steps");
            return;
        }
        let done = run(&t.replica().await, false).await;
        assert_eq!((done.new_keys, done.resealed, done.unreadable), (1, 7, 0));
        world.is_whole().await;
    }
}

#[tokio::test]
async fn a_new_key_seals_when_every_server_has_read_it() {
    let world = World::new().await;
    let t = &world.t;
    t.advance(Duration::from_mins(1));
    let other = t.replica().await;
    // It has the old key in its cache when the new one is made, and reads what the new one seals after that.
    manifest_of(&other, "app").await;
    assert!(!stopped_after(t, 1).await);
    t.image("app", "meanwhile", Some("v1")).await;
    manifest_of(&other, "app").await;
}

#[tokio::test]
async fn what_a_walk_has_found_keeps_its_key_until_the_next_walk() {
    // Stopped before the walk, and in its midst.
    for steps in [1, 9] {
        let world = World::new().await;
        let t = &world.t;
        t.advance(Duration::from_mins(1));
        assert!(!stopped_after(t, steps).await);
        // The new key is old enough by now; what the old one has sealed is not sealed anew, or not all of it.
        t.advance(Duration::from_hours(26));
        let done = run(&t.replica().await, true).await;
        assert!(done.resumed_from.is_some(), "{done:?}");
        assert_eq!((done.new_keys, done.resealed), (1, 7), "{done:?}");
        assert_eq!((done.removed_keys, done.old_keys), (0, 1), "{steps}");
        let done = run(t, true).await;
        assert_eq!((done.new_keys, done.resumed_from), (0, None));
        assert_eq!((done.removed_keys, done.old_keys), (1, 0));
        world.is_whole().await;
    }
}

async fn cut_manifests(t: &TestCore, bytes: i64) {
    t.core
        .meta
        .write(Durability::Durable, move |tx| {
            let sql = "UPDATE image SET manifest = substr(manifest, 1, CAST(?1 AS INTEGER))";
            tx.execute(sql, &[bytes.into()])
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_row_that_is_cut_short_is_told_and_the_others_are_sealed_anew() {
    let world = World::new().await;
    let t = &world.t;
    t.advance(Duration::from_mins(1));
    // Not even the version is left.
    cut_manifests(t, 3).await;
    let done = run(t, false).await;
    assert_eq!((done.unreadable, done.resealed), (1, 6), "{done:?}");
}

#[tokio::test]
async fn a_row_that_does_not_open_keeps_the_old_key() {
    let world = World::new().await;
    let t = &world.t;
    t.advance(Duration::from_mins(1));
    // The version stays; what it sealed does not.
    cut_manifests(t, 4).await;
    let done = run(t, false).await;
    assert_eq!((done.unreadable, done.removed_keys), (1, 0));
    t.advance(Duration::from_hours(26));
    let done = run(t, true).await;
    assert_eq!(
        (done.unreadable, done.removed_keys, done.old_keys),
        (1, 0, 1)
    );
}

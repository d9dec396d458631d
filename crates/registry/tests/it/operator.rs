//! What an operator does to a whole store.

use std::time::Duration;

use bytes::Bytes;
use longshore_registry::{
    body::Whole,
    oci::upload::PushBlob,
    operator::{gc, scrub, session::RootSessions},
    session::{Signer, signer},
};
use longshore_store::meta::{self, Durability};
use longshore_types::name::Reference;
use tokio::sync::Notify;

use crate::{
    harness::{ACCOUNT, TestCore, digest_of, oci_manifest},
    late::Gate,
};

/// More than stays in a row.
const LARGE: usize = 200_000;

/// An image with a small and a large layer.
async fn image(t: &TestCore, seed: u8) -> Vec<u8> {
    let layer = vec![seed; LARGE];
    t.repository("app").await;
    for blob in [b"{}".as_slice(), b"a small layer", &layer] {
        t.blob("app", blob).await;
    }
    let manifest = oci_manifest(b"{}", &[b"a small layer", &layer]).to_string();
    let tag = Reference::Tag("v1".parse().unwrap());
    t.push("app", &manifest, tag).await.unwrap();
    layer
}

async fn scrubbed(t: &TestCore) -> scrub::Scrubbed {
    scrub::scrub(&t.core, scrub::Options::default(), |_| {})
        .await
        .unwrap()
}

#[tokio::test]
async fn a_sound_store_is_read_whole_and_nothing_is_found() {
    let t = TestCore::start().await;
    image(&t, 7).await;
    let done = scrubbed(&t).await;
    assert_eq!((done.blobs, done.total_blobs, done.images), (3, 3, 1));
    let bytes = (LARGE + "{}".len() + "a small layer".len()) as u64;
    assert_eq!((done.bytes, done.total_bytes), (bytes, bytes));
    assert_eq!((done.damaged, done.repaired), (0, 0));
}

#[tokio::test]
async fn a_rotten_file_is_found_with_the_images_that_need_it_and_marked() {
    let t = TestCore::start().await;
    let layer = image(&t, 7).await;
    t.damage_files();
    let done = scrubbed(&t).await;
    assert_eq!((done.blobs, done.damaged), (3, 1));
    let finding = &done.findings[0];
    assert_eq!(finding.digest, digest_of(&layer).to_string());
    assert_eq!(finding.images.len(), 1, "{finding:?}");
    assert!(
        finding.images[0].starts_with("123456789012/eu-central-1/app@sha256:"),
        "{finding:?}"
    );
    // A push is asked for the layer again, and makes it whole.
    t.blob("app", &layer).await;
    let again = scrubbed(&t).await;
    assert_eq!((again.damaged, again.repaired), (0, 0));
}

#[tokio::test]
async fn a_file_that_was_brought_back_is_whole_again() {
    let t = TestCore::start().await;
    image(&t, 7).await;
    let files = t.contents();
    t.damage_files();
    assert_eq!(scrubbed(&t).await.damaged, 1);
    for (path, bytes) in files {
        std::fs::write(path, bytes).unwrap();
    }
    let done = scrubbed(&t).await;
    assert_eq!((done.damaged, done.repaired), (0, 1));
    assert_eq!(scrubbed(&t).await.repaired, 0);
}

#[tokio::test]
async fn a_stopped_scrub_goes_on_where_it_was() {
    let t = TestCore::start().await;
    t.repository("app").await;
    for seed in 0..120_u8 {
        t.blob("app", &[seed; 100]).await;
    }
    let stop = Notify::new();
    let first = scrub::scrub(&t.core, scrub::Options::default(), |done| {
        if done.blobs == 60 {
            stop.notify_one();
        }
    });
    tokio::select! {
        biased;
        () = stop.notified() => {}
        done = first => panic!("it was not stopped: {done:?}"),
    }
    let mut first = None;
    let done = scrub::scrub(&t.core, scrub::Options::default(), |done| {
        first.get_or_insert(done.blobs);
    })
    .await
    .unwrap();
    assert_eq!((first, done.blobs, done.bytes), (Some(51), 120, 12_000));
    let restart = scrub::Options {
        restart: true,
        ..scrub::Options::default()
    };
    let done = scrub::scrub(&t.core, restart, |_| {}).await.unwrap();
    assert_eq!(done.blobs, 120);
}

#[tokio::test]
async fn what_is_due_is_told_and_then_collected() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let large = vec![1; LARGE];
    t.blob("app", &large).await;
    t.blob("app", b"small").await;
    assert_eq!(gc::due(&t.core).await.unwrap(), gc::Garbage::default());
    t.advance(Duration::from_hours(25));
    let due = gc::due(&t.core).await.unwrap();
    assert_eq!((due.links, due.blobs, due.files), (2, 0, 0));
    let mut steps = 0;
    let done = gc::collect(&t.core, |_| steps += 1).await.unwrap();
    assert_eq!(
        (done.links, done.blobs, done.bytes, done.files),
        (2, 2, LARGE as u64 + 5, 0)
    );
    assert!(steps > 1);
    t.advance(Duration::from_hours(25));
    assert_eq!(gc::due(&t.core).await.unwrap().files, 1);
    assert_eq!(gc::collect(&t.core, |_| {}).await.unwrap().files, 1);
    assert_eq!(gc::due(&t.core).await.unwrap(), gc::Garbage::default());
}

#[tokio::test]
async fn what_uploads_held_is_collected_though_time_passes_meanwhile() {
    for looks in 0.. {
        let t = TestCore::start().await;
        t.repository("app").await;
        let upload = t.start_upload("app").await;
        t.append("app", upload, vec![1; LARGE]).await.unwrap();
        t.advance(Duration::from_hours(25));
        t.jump_after(looks, Duration::from_millis(1));
        let done = gc::collect(&t.core, |_| {}).await.unwrap();
        assert_eq!((done.uploads, done.files), (1, 1), "at look {looks}");
        assert_eq!(t.files(), 0);
        if !t.has_jumped() {
            assert!(looks > 3, "{looks}");
            return;
        }
    }
}

#[tokio::test]
async fn a_file_that_was_made_after_its_intent_had_gone_is_collected() {
    let gate = Gate::shut();
    let t = TestCore::with_late_files(gate.clone()).await;
    t.repository("app").await;
    let large = vec![1; LARGE];
    let pushing = t.run(PushBlob {
        repository: t.at("app"),
        digest: digest_of(&large),
        body: Box::new(Whole::new(Bytes::from(large))),
    });
    let meanwhile = async {
        gate.reached.acquire().await.unwrap().forget();
        // The server was asleep, and another one collected.
        t.advance(Duration::from_hours(25));
        t.sweep().await;
        gate.open.add_permits(1);
    };
    let (pushed, ()) = tokio::join!(pushing, meanwhile);
    pushed.unwrap_err();
    assert_eq!(t.files(), 1);
    t.sweep().await;
    assert_eq!(t.files(), 0);
}

#[tokio::test]
async fn files_that_no_row_names_are_told_and_go_in_a_day() {
    let t = TestCore::listing().await;
    t.repository("app").await;
    for seed in 0..3 {
        t.blob("app", &vec![seed; LARGE]).await;
    }
    t.core
        .meta
        .write(Durability::Durable, |tx| {
            for table in ["candidate", "link", "blob", "segment"] {
                tx.execute(&format!("DELETE FROM {table}"), &[])?;
            }
            Ok::<_, meta::Error>(())
        })
        .await
        .unwrap();
    t.blob("app", &vec![9; LARGE]).await;
    assert_eq!(gc::unknown(&t.core, true, |_| {}).await.unwrap(), 3);
    assert_eq!(gc::unknown(&t.core, false, |_| {}).await.unwrap(), 3);
    assert_eq!(gc::unknown(&t.core, false, |_| {}).await.unwrap(), 0);
    gc::collect(&t.core, |_| {}).await.unwrap();
    assert_eq!(t.files(), 4);
    t.advance(Duration::from_hours(25));
    assert_eq!(gc::collect(&t.core, |_| {}).await.unwrap().files, 3);
    assert_eq!(t.files(), 1);
}

#[tokio::test]
async fn a_session_of_root_ends_within_an_hour_and_another_follows_it() {
    let t = TestCore::start().await;
    let sessions = RootSessions::new(ACCOUNT.parse().unwrap());
    let first = sessions.credentials(&t.core).unwrap();
    let signs = async || {
        let token = Some(first.session_token.as_str());
        signer(&t.core, &first.access_key_id, token).await.unwrap()
    };
    let follows = || {
        let now = sessions.credentials(&t.core).unwrap();
        now.access_key_id != first.access_key_id
    };
    t.advance(Duration::from_mins(20));
    assert!(!follows());
    // Whoever got the first one a moment ago can use it for a while.
    t.advance(Duration::from_mins(20));
    assert!(follows());
    assert!(matches!(signs().await, Signer::Known(_)));
    t.advance(Duration::from_mins(21));
    assert!(matches!(signs().await, Signer::Expired));
}

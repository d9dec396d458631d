//! Segments that no row names become blobs again.

use std::{cell::Cell, future::poll_fn, path::PathBuf, pin::pin, task::Poll, time::Duration};

use bytes::Bytes;
use longshore_registry::{
    body::Whole,
    oci::{
        blob::PullBlob,
        upload::{CloseUpload, PushBlob},
    },
    op::image::{PutImage, UpdateImageStorageClass},
    operator::{
        recover::{Recovered, recover},
        rekey::{
            domains::{self, rekey},
            master::Exchange,
        },
    },
};
use longshore_store::{
    crypto::{MasterKey, MasterKeys},
    meta::{self, Durability},
};
use longshore_types::digest::Digest;
use serde_json::json;

use crate::harness::{TestCore, digest_of, oci_manifest};
use crate::repair::push_elsewhere;

/// More than stays in a row.
const LARGE: usize = 200_000;

fn large(seed: u8) -> Vec<u8> {
    vec![seed; LARGE]
}

fn key(byte: &str) -> MasterKey {
    MasterKey::parse(&byte.repeat(32)).unwrap()
}

/// Uploads a blob in several segments.
async fn in_segments(t: &TestCore, parts: &[Vec<u8>]) -> Digest {
    let upload = t.start_upload("app").await;
    for part in parts {
        t.append("app", upload, part.clone()).await.unwrap();
    }
    let digest = digest_of(&parts.concat());
    t.run(CloseUpload {
        repository: t.at("app"),
        upload,
        range: None,
        digest,
        has_body: false,
        body: Box::new(Whole::new(Bytes::new())),
    })
    .await
    .unwrap();
    digest
}

async fn pulled(t: &TestCore, repository: &str, digest: Digest) -> Vec<u8> {
    let pull = PullBlob {
        repository: t.at(repository),
        digest,
        range: None,
    };
    let mut download = t.run(pull).await.unwrap().download;
    let mut bytes = Vec::new();
    while let Some(next) = download.next().await {
        bytes.extend_from_slice(&next.unwrap());
    }
    bytes
}

/// All segments, in order of their making.
fn files(t: &TestCore) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = t.contents();
    files.sort();
    files
}

async fn recovered(t: &TestCore) -> Recovered {
    recover(&t.core, |_| {}).await.unwrap()
}

/// Takes the rows of everything that was pushed away.
pub(crate) async fn lose_rows(t: &TestCore) {
    t.core
        .meta
        .write(Durability::Durable, |tx| {
            for table in ["candidate", "link", "blob", "segment", "inline_piece"] {
                tx.execute(&format!("DELETE FROM {table}"), &[])?;
            }
            Ok::<_, meta::Error>(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn what_lost_its_rows_is_linked_again_and_found_by_a_push() {
    let t = TestCore::listing().await;
    t.repository("app").await;
    let layer = large(1);
    let digest = t.blob("app", &layer).await;
    let parts = [large(2), large(3), large(4)];
    let joined = in_segments(&t, &parts).await;
    lose_rows(&t).await;
    // An upload under way, what is present and what is doomed are known.
    let open = t.start_upload("app").await;
    t.append("app", open, large(5)).await.unwrap();
    t.blob("app", &large(6)).await;

    let before = files(&t);
    let done = recovered(&t).await;
    assert_eq!(
        (done.segments, done.unknown, done.left),
        (6, 4, 0),
        "{done:?}"
    );
    assert_eq!((done.blobs, done.bytes), (2, 4 * LARGE as u64));
    assert_eq!(
        done.repositories,
        ["private/123456789012/eu-central-1/recovered"]
    );
    assert_eq!(files(&t), before);
    assert_eq!(pulled(&t, "recovered", digest).await, layer);
    assert_eq!(pulled(&t, "recovered", joined).await, parts.concat());
    // The manifest is pushed again, and finds its layer.
    t.blob("recovered", b"{}").await;
    let manifest = oci_manifest(b"{}", &[&layer]).to_string();
    let put = json!({"repositoryName": "recovered", "imageManifest": manifest, "imageTag": "v1"});
    t.ok::<PutImage>(put).await;
    // There is nothing left to do, and what was recovered is kept for a while.
    let again = recovered(&t).await;
    assert_eq!((again.unknown, again.blobs), (0, 0));
    t.advance(Duration::from_hours(29 * 24));
    t.sweep().await;
    assert_eq!(pulled(&t, "recovered", joined).await, parts.concat());
    t.advance(Duration::from_hours(3 * 24));
    t.sweep().await;
    assert_eq!(pulled(&t, "recovered", digest).await, layer);
    let gone = PullBlob {
        repository: t.at("recovered"),
        digest: joined,
        range: None,
    };
    assert!(t.run(gone).await.is_err());
}

#[tokio::test]
async fn without_any_metadata_all_segments_come_back_by_the_copies_of_their_keys() {
    let t = TestCore::listing().await;
    t.repository("app").await;
    let before = t.blob("app", &large(1)).await;
    // Keys that have gone from the rows, and another master key.
    t.advance(Duration::from_mins(1));
    let rekeyed = async |finish| {
        let options = domains::Options { finish };
        rekey(&t.core, options, |_| {
            t.advance(Duration::from_secs(5));
        })
        .await
        .unwrap()
    };
    assert_eq!(rekeyed(false).await.new_keys, 1);
    t.advance(Duration::from_hours(26));
    assert_eq!(rekeyed(true).await.removed_keys, 1);
    let after = t.blob("app", &large(2)).await;
    let new = key("6b").check_value();
    let both = t
        .replica_with(MasterKeys::from(key("5a")).with(key("6b")))
        .await;
    let mut exchange = Exchange::begin(&both.core, new).await.unwrap().unwrap();
    while exchange.step().await.unwrap() {}
    assert_eq!(exchange.done.unreadable, 0);

    let wrong = t.without_metadata(key("5a").into()).await;
    let done = recovered(&wrong).await;
    assert_eq!((done.blobs, done.left), (0, 2), "{done:?}");
    let t = t.without_metadata(key("6b").into()).await;
    let done = recovered(&t).await;
    assert_eq!((done.blobs, done.left), (2, 0), "{done:?}");
    let t = t.replica_with(key("6b").into()).await;
    assert_eq!(pulled(&t, "recovered", before).await, large(1));
    assert_eq!(pulled(&t, "recovered", after).await, large(2));
    // What is pushed from now on is of the same domain.
    t.repository("app").await;
    t.blob("app", &large(2)).await;
    assert_eq!(t.files(), 3);
}

/// A segment whose rows are lost is recovered while its domain's old key goes; when all is listed, the recovery stops after so
/// many steps until that key is gone. Returns whether it had so many.
async fn recovered_beside_rekey(steps: usize) -> bool {
    let t = TestCore::listing().await;
    t.repository("app").await;
    let digest = t.blob("app", &large(1)).await;
    lose_rows(&t).await;
    t.advance(Duration::from_mins(1));
    let rekeyed = async |finish| {
        let options = domains::Options { finish };
        let step = |_: &domains::Rekeyed| t.advance(Duration::from_secs(5));
        rekey(&t.core, options, step).await.unwrap()
    };
    assert_eq!(rekeyed(false).await.new_keys, 1);
    t.advance(Duration::from_hours(26));
    let other = t.replica().await;
    let is_listed = Cell::new(false);
    let mut recovering = pin!(recover(&other.core, |done| is_listed.set(done.listed == 256)));
    let mut left = steps;
    let early = poll_fn(|cx| match recovering.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if is_listed.get() && left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= usize::from(is_listed.get());
            Poll::Pending
        }
    });
    let early = early.await;
    assert_eq!(rekeyed(true).await.removed_keys, 1);
    let has_stopped = early.is_none();
    let done = match early {
        Some(done) => done,
        None => recovering.await,
    };
    let done = done.unwrap();
    assert_eq!((done.blobs, done.left), (1, 0), "{steps}: {done:?}");
    let after = t.replica().await;
    assert_eq!(
        pulled(&after, "recovered", digest).await,
        large(1),
        "{steps}"
    );
    has_stopped
}

#[tokio::test]
async fn a_key_that_goes_meanwhile_takes_nothing_along_that_is_recovered() {
    let mut steps = 0;
    while Box::pin(recovered_beside_rekey(steps)).await {
        steps += 1;
    }
    assert!(steps > 3, "it has steps");
}

#[tokio::test]
async fn what_is_not_whole_is_told_and_left_as_it_is() {
    let t = TestCore::listing().await;
    t.repository("app").await;
    in_segments(&t, &[large(1), large(2)]).await;
    // The first bytes are in a row.
    in_segments(&t, &[b"few".to_vec(), large(3)]).await;
    t.blob("app", &large(4)).await;
    let sound = t.blob("app", &large(5)).await;
    lose_rows(&t).await;
    let segments = files(&t);
    // In order of their making: the first of two, the second, one after a row, and two alone.
    std::fs::remove_file(&segments[0].0).unwrap();
    let (path, mut rotten) = segments[3].clone();
    rotten[LARGE / 2] ^= 1;
    std::fs::write(path, &rotten).unwrap();
    let left = files(&t);
    let done = recovered(&t).await;
    assert_eq!((done.unknown, done.blobs, done.left), (4, 1, 3), "{done:?}");
    let problems: Vec<&str> = done
        .findings
        .iter()
        .map(|finding| finding.problem.as_str())
        .collect();
    assert!(
        problems.iter().any(|text| text.contains("before 200000")),
        "{problems:?}"
    );
    assert!(
        problems.iter().any(|text| text.contains("before 3")),
        "{problems:?}"
    );
    assert!(
        problems
            .iter()
            .any(|text| text.contains("does not decrypt")),
        "{problems:?}"
    );
    assert_eq!(pulled(&t, "recovered", sound).await, large(5));
    assert_eq!(files(&t), left);
}

#[tokio::test]
async fn pushes_meanwhile_are_nobodys_business() {
    let t = TestCore::listing().await;
    t.repository("app").await;
    let pushing = async {
        for seed in 0..20 {
            t.blob("app", &large(seed)).await;
            let upload = t.start_upload("app").await;
            t.append("app", upload, large(seed)).await.unwrap();
        }
    };
    let recovering = async {
        let mut segments = 0;
        while segments < 40 {
            let done = recovered(&t).await;
            assert_eq!((done.unknown, done.blobs), (0, 0), "{done:?}");
            segments = done.segments;
        }
    };
    tokio::join!(pushing, recovering);
}

#[tokio::test]
async fn what_lies_in_the_archive_comes_back_to_where_pulls_are_served_from() {
    let t = TestCore::with_archive(64 << 20).await;
    t.repository("app").await;
    t.blob("app", b"{}").await;
    t.blob("app", &large(1)).await;
    let manifest = oci_manifest(b"{}", &[&large(1)]).to_string();
    let image = t.put("app", &manifest, Some("v1")).await;
    let archive = json!({"repositoryName": "app", "imageId": {"imageDigest": image}, "targetStorageClass": "ARCHIVE"});
    t.ok::<UpdateImageStorageClass>(archive).await;
    for _ in 0..2 {
        t.advance(Duration::from_hours(25));
        t.sweep().await;
    }
    assert_eq!((t.files(), t.archived_files()), (0, 1));
    let t = t.without_metadata(key("5a").into()).await;
    let done = recovered(&t).await;
    assert_eq!(
        (done.segments, done.blobs, done.left),
        (1, 1, 0),
        "{done:?}"
    );
    let digest = digest_of(&large(1));
    assert_eq!(pulled(&t, "recovered", digest).await, large(1));
    t.sweep().await;
    assert_eq!(t.files(), 1);
    t.advance(Duration::from_hours(25));
    t.sweep().await;
    assert_eq!((t.files(), t.archived_files()), (1, 0));
    assert_eq!(pulled(&t, "recovered", digest).await, large(1));
}

#[tokio::test]
async fn a_blob_of_very_many_segments_is_written_anew() {
    let t = TestCore::listing().await;
    t.repository("app").await;
    // The least that stays in no row.
    let parts: Vec<Vec<u8>> = (0..501_u16)
        .map(|number| vec![number.to_be_bytes()[1]; 65_537])
        .collect();
    let digest = in_segments(&t, &parts).await;
    lose_rows(&t).await;
    let done = recovered(&t).await;
    assert_eq!(
        (done.unknown, done.blobs, done.left),
        (501, 1, 0),
        "{done:?}"
    );
    assert_eq!(t.files(), 502);
    assert!(pulled(&t, "recovered", digest).await == parts.concat());
    let again = recovered(&t).await;
    assert_eq!((again.unknown, again.blobs, again.present), (501, 0, 1));
    assert_eq!(t.files(), 502);
}

#[tokio::test]
async fn a_damaged_blob_that_is_named_by_its_sha512_gets_its_segments_again() {
    let t = TestCore::listing().await;
    t.repository("app").await;
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, &large(1));
    let digest = Digest::sha512(hash.as_ref().try_into().unwrap());
    t.run(PushBlob {
        repository: t.at("app"),
        digest,
        body: Box::new(Whole::new(Bytes::from(large(1)))),
    })
    .await
    .unwrap();
    t.core
        .meta
        .write(Durability::Durable, |tx| {
            tx.execute("DELETE FROM segment", &[])?;
            tx.execute("UPDATE blob SET damaged = 1", &[])
        })
        .await
        .unwrap();
    let done = recovered(&t).await;
    assert_eq!((done.unknown, done.blobs, done.left), (1, 1, 0), "{done:?}");
    assert_eq!(pulled(&t, "app", digest).await, large(1));
}

#[tokio::test]
async fn a_registry_that_has_no_room_keeps_none_of_the_others_from_theirs() {
    let t = TestCore::listing_with(|settings| {
        settings.count_quotas = vec!["repositories=2".parse().unwrap()];
    })
    .await;
    for name in ["app", "full"] {
        t.repository(name).await;
    }
    let without_room = t.blob("app", &large(1)).await;
    push_elsewhere(&t, &large(2)).await;
    lose_rows(&t).await;
    let done = recovered(&t).await;
    assert_eq!((done.unknown, done.blobs, done.left), (2, 1, 1), "{done:?}");
    let name = "private/123456789012/us-east-1/recovered";
    assert_eq!(done.repositories, [name]);
    let problem = &done.findings[0].problem;
    assert!(problem.contains("repositories"), "{problem}");
    // With room there, it comes, too.
    t.delete_repository("full").await;
    let done = recovered(&t).await;
    assert_eq!((done.blobs, done.left), (1, 0), "{done:?}");
    assert_eq!(pulled(&t, "recovered", without_room).await, large(1));
}

#[tokio::test]
async fn what_is_recovered_does_not_go_where_others_may_read() {
    let t = TestCore::listing().await;
    t.repository("app").await;
    // Somebody has made it, for whomever.
    t.repository("recovered").await;
    let first = t.blob("app", &large(1)).await;
    lose_rows(&t).await;
    let name = "private/123456789012/eu-central-1/recovered-2";
    assert_eq!(recovered(&t).await.repositories, [name]);
    assert_eq!(pulled(&t, "recovered-2", first).await, large(1));
    // The next one finds its own again.
    let second = t.blob("app", &large(2)).await;
    lose_rows(&t).await;
    assert_eq!(recovered(&t).await.repositories, [name]);
    assert_eq!(pulled(&t, "recovered-2", second).await, large(2));
}

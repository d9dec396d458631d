//! The bytes of archived images lie in the archive store, whole, and come back.

use std::time::Duration;

use longshore_registry::{
    Error,
    body::Whole,
    extension::DescribeRepositoryStorage,
    job,
    oci::{
        blob::{Download, PullBlob},
        upload::{AppendUpload, CloseUpload, Mount, StartUpload, Started},
    },
    op::image::BatchDeleteImage,
};
use longshore_types::{digest::Digest, name::Reference};
use serde_json::json;

use super::{archive, restore, status};
use crate::harness::{TestCore, digest_of, name, oci_manifest};

const STRETCH: i64 = 100_000;

/// Bytes that `seed` tells apart, more than are kept in the metadata.
fn bytes(seed: u8, length: usize) -> Vec<u8> {
    let pattern = (0..251_u8).cycle();
    pattern.map(|byte| byte ^ seed).take(length).collect()
}

async fn open(t: &TestCore, repository: &str, digest: Digest) -> Result<Download, Error> {
    let pull = PullBlob {
        repository: t.at(repository),
        digest,
        range: None,
    };
    t.run(pull).await.map(|pulled| pulled.download)
}

async fn drain(mut download: Download) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(bytes) = download.next().await {
        all.extend_from_slice(&bytes.unwrap());
    }
    all
}

async fn pulled(t: &TestCore, repository: &str, digest: Digest) -> Vec<u8> {
    drain(open(t, repository, digest).await.unwrap()).await
}

/// An image of `repository` with one layer of its own configuration.
async fn image_of(t: &TestCore, repository: &str, seed: u8, layer: &[u8]) -> String {
    let config = format!("{{\"config\":{seed}}}").into_bytes();
    t.blob(repository, &config).await;
    t.blob(repository, layer).await;
    let manifest = oci_manifest(&config, &[layer]).to_string();
    t.put(repository, &manifest, None).await
}

/// Days pass, and everything is swept.
async fn days(t: &TestCore, days: u64) {
    for _ in 0..days * 2 {
        t.advance(Duration::from_hours(12));
        t.sweep().await;
    }
}

/// Until what is being restored is active.
async fn settle(t: &TestCore) {
    for _ in 0..3 {
        t.sweep().await;
        t.advance(Duration::from_secs(3));
    }
    t.sweep().await;
}

#[tokio::test]
async fn bytes_go_to_the_archive_and_come_back_whole() {
    let t = TestCore::with_archive(STRETCH).await;
    t.repository("app").await;
    let layer = bytes(1, 250_000);
    let digest = image_of(&t, "app", 1, &layer).await;
    assert_eq!((t.files(), t.archived_files()), (1, 0));
    archive(&t, &digest).await;
    t.sweep().await;
    // The old segment stays for whoever reads it.
    assert_eq!((t.files(), t.archived_files()), (1, 3));
    days(&t, 2).await;
    assert_eq!((t.files(), t.archived_files()), (0, 3));

    restore(&t, &digest).await;
    assert_eq!(status(&t, &digest).await, "ACTIVATING");
    settle(&t).await;
    assert_eq!(status(&t, &digest).await, "ACTIVE");
    assert_eq!(pulled(&t, "app", digest_of(&layer)).await, layer);
    assert_eq!((t.files(), t.archived_files()), (3, 3));
    days(&t, 2).await;
    assert_eq!((t.files(), t.archived_files()), (3, 0));
    assert_eq!(pulled(&t, "app", digest_of(&layer)).await, layer);
}

#[tokio::test]
async fn an_image_is_not_active_before_its_last_byte_is_back() {
    let t = TestCore::with_archive(STRETCH).await;
    t.repository("app").await;
    let layer = bytes(1, 450_000);
    let digest = image_of(&t, "app", 1, &layer).await;
    archive(&t, &digest).await;
    t.sweep().await;
    restore(&t, &digest).await;
    for _ in 0..4 {
        job::tick(&t.core).await.unwrap();
        assert_eq!(status(&t, &digest).await, "ACTIVATING");
        assert!(open(&t, "app", digest_of(&layer)).await.is_err());
        t.advance(Duration::from_secs(3));
    }
    settle(&t).await;
    assert_eq!(status(&t, &digest).await, "ACTIVE");
    assert_eq!(pulled(&t, "app", digest_of(&layer)).await, layer);
}

#[tokio::test]
async fn what_lies_where_is_told_by_repository() {
    let t = TestCore::with_archive(STRETCH).await;
    t.repository("app").await;
    let layer = bytes(13, 250_000);
    let digest = image_of(&t, "app", 13, &layer).await;
    t.image("app", "small", None).await;
    let told = async || {
        let input = json!({"repositoryName": "app"});
        let told = t.ok::<DescribeRepositoryStorage>(input).await;
        [0, 1].map(|place| {
            let place = &told["storage"][place];
            let number = |member: &str| place[member].as_i64().unwrap();
            (number("blobCount"), number("sizeInBytes"))
        })
    };
    let [(4, total), (0, 0)] = told().await else {
        panic!("{:?}", told().await)
    };
    archive(&t, &digest).await;
    t.sweep().await;
    assert_eq!(told().await, [(3, total - 250_000), (1, 250_000)]);
    restore(&t, &digest).await;
    settle(&t).await;
    assert_eq!(told().await, [(4, total), (0, 0)]);
}

#[tokio::test]
async fn a_blob_that_any_active_image_has_stays_until_that_is_gone() {
    let t = TestCore::with_archive(STRETCH).await;
    let layer = bytes(2, 90_000);
    let mut digests = Vec::new();
    for repository in ["app", "other"] {
        t.repository(repository).await;
        digests.push(image_of(&t, repository, 2, &layer).await);
    }
    archive(&t, &digests[0]).await;
    t.sweep().await;
    assert_eq!(t.archived_files(), 0);
    assert!(open(&t, "app", digest_of(&layer)).await.is_err());
    assert_eq!(pulled(&t, "other", digest_of(&layer)).await, layer);
    let delete = json!({"repositoryName": "other", "imageIds": [{"imageDigest": digests[1]}]});
    t.ok::<BatchDeleteImage>(delete).await;
    days(&t, 4).await;
    assert_eq!((t.files(), t.archived_files()), (0, 1));
    restore(&t, &digests[0]).await;
    settle(&t).await;
    assert_eq!(pulled(&t, "app", digest_of(&layer)).await, layer);
}

#[tokio::test]
async fn a_pull_that_has_begun_ends_while_its_blob_moves() {
    let t = TestCore::with_archive(STRETCH).await;
    t.repository("app").await;
    let layer = bytes(3, 900_000);
    let digest = image_of(&t, "app", 3, &layer).await;
    let out = open(&t, "app", digest_of(&layer)).await.unwrap();
    archive(&t, &digest).await;
    t.sweep().await;
    assert_eq!(drain(out).await, layer);
}

#[tokio::test]
async fn an_upload_of_the_same_bytes_takes_the_place_of_archived_ones() {
    let t = TestCore::with_archive(STRETCH).await;
    t.repository("app").await;
    t.repository("other").await;
    let layer = bytes(4, 120_000);
    let digest = image_of(&t, "app", 4, &layer).await;
    archive(&t, &digest).await;
    days(&t, 2).await;
    assert_eq!((t.files(), t.archived_files()), (0, 2));
    image_of(&t, "other", 5, &layer).await;
    assert_eq!((t.files(), t.archived_files()), (1, 2));
    assert_eq!(pulled(&t, "other", digest_of(&layer)).await, layer);
    days(&t, 2).await;
    assert_eq!((t.files(), t.archived_files()), (1, 0));
    restore(&t, &digest).await;
    settle(&t).await;
    assert_eq!(pulled(&t, "app", digest_of(&layer)).await, layer);
    assert_eq!((t.files(), t.archived_files()), (1, 0));
}

#[tokio::test]
async fn an_active_image_is_pulled_from_the_archive_while_its_bytes_come_back() {
    let t = TestCore::with_archive(STRETCH).await;
    t.repository("app").await;
    let layer = bytes(5, 250_000);
    let config = b"{\"config\":5}".to_vec();
    t.blob("app", &config).await;
    t.blob("app", &layer).await;
    let manifest = oci_manifest(&config, &[&layer]).to_string();
    let digest = t.put("app", &manifest, None).await;
    archive(&t, &digest).await;
    days(&t, 2).await;
    assert_eq!((t.files(), t.archived_files()), (0, 3));
    // Pushed again by manifest alone: active at once, and so is a mount of its layer.
    let reference = Reference::Digest(digest.parse().unwrap());
    t.push("app", &manifest, reference).await.unwrap();
    assert_eq!(status(&t, &digest).await, "ACTIVE");
    assert_eq!(pulled(&t, "app", digest_of(&layer)).await, layer);
    t.repository("other").await;
    let mounted = t.run(StartUpload {
        repository: t.at("other"),
        mount: Some(Mount {
            digest: digest_of(&layer),
            from: Some(name("app")),
        }),
        sha512: false,
    });
    assert!(matches!(mounted.await.unwrap(), Started::Mounted(_)));
    assert_eq!(pulled(&t, "other", digest_of(&layer)).await, layer);
    t.sweep().await;
    assert_eq!(t.files(), 3);
    days(&t, 2).await;
    assert_eq!((t.files(), t.archived_files()), (3, 0));
    assert_eq!(pulled(&t, "app", digest_of(&layer)).await, layer);
}

#[tokio::test]
async fn pieces_in_the_metadata_and_segments_move_as_one() {
    let t = TestCore::with_archive(STRETCH).await;
    t.repository("app").await;
    let layer = bytes(6, 200_000);
    let started = t.run(StartUpload {
        repository: t.at("app"),
        mount: None,
        sha512: false,
    });
    let Started::Upload(upload) = started.await.unwrap() else {
        panic!("mounted")
    };
    let (first, rest) = layer.split_at(10_000);
    let (second, third) = rest.split_at(120_000);
    for part in [first, second] {
        let append = AppendUpload {
            repository: t.at("app"),
            upload,
            range: None,
            body: Box::new(Whole::new(part.to_vec().into())),
        };
        t.run(append).await.unwrap();
    }
    let close = CloseUpload {
        repository: t.at("app"),
        upload,
        range: None,
        digest: digest_of(&layer),
        has_body: true,
        body: Box::new(Whole::new(third.to_vec().into())),
    };
    t.run(close).await.unwrap();
    t.blob("app", b"{}").await;
    let manifest = oci_manifest(b"{}", &[&layer]).to_string();
    let digest = t.put("app", &manifest, None).await;
    archive(&t, &digest).await;
    days(&t, 2).await;
    assert_eq!((t.files(), t.archived_files()), (0, 2));
    restore(&t, &digest).await;
    settle(&t).await;
    assert_eq!(pulled(&t, "app", digest_of(&layer)).await, layer);
}

#[tokio::test]
async fn small_blobs_stay_in_the_metadata() {
    let t = TestCore::with_archive(STRETCH).await;
    t.repository("app").await;
    let digest = t.image("app", "small", None).await;
    archive(&t, &digest).await;
    t.sweep().await;
    assert_eq!((t.files(), t.archived_files()), (0, 0));
    restore(&t, &digest).await;
    t.sweep().await;
    assert_eq!(status(&t, &digest).await, "ACTIVE");
}

#[tokio::test]
async fn a_move_is_given_up_when_its_image_is_restored_deleted_or_damaged() {
    let t = TestCore::with_archive(STRETCH).await;
    t.repository("app").await;
    let layer = bytes(7, 450_000);
    let digest = image_of(&t, "app", 7, &layer).await;
    archive(&t, &digest).await;
    for _ in 0..2 {
        job::tick(&t.core).await.unwrap();
    }
    assert_eq!(t.archived_files(), 2);
    restore(&t, &digest).await;
    settle(&t).await;
    assert_eq!(status(&t, &digest).await, "ACTIVE");
    assert_eq!((t.files(), t.archived_files()), (1, 0));
    assert_eq!(pulled(&t, "app", digest_of(&layer)).await, layer);

    archive(&t, &digest).await;
    job::tick(&t.core).await.unwrap();
    assert_eq!(t.archived_files(), 1);
    let delete = json!({"repositoryName": "app", "imageIds": [{"imageDigest": digest}]});
    t.ok::<BatchDeleteImage>(delete).await;
    days(&t, 4).await;
    assert_eq!((t.files(), t.archived_files()), (0, 0));
}

#[tokio::test]
async fn a_blob_that_cannot_be_read_is_damaged_and_holds_up_nothing() {
    let t = TestCore::with_archive(STRETCH).await;
    t.repository("app").await;
    let (one, two) = (bytes(8, 90_000), bytes(9, 90_000));
    let broken = image_of(&t, "app", 8, &one).await;
    t.damage_files();
    let sound = image_of(&t, "app", 9, &two).await;
    archive(&t, &broken).await;
    archive(&t, &sound).await;
    let mut failures = 0;
    for _ in 0..6 {
        failures += usize::from(job::tick(&t.core).await.is_err());
        t.advance(Duration::from_mins(2));
    }
    assert_eq!(failures, 1);
    assert_eq!(t.archived_files(), 1);
    // What is damaged is not waited for.
    restore(&t, &broken).await;
    settle(&t).await;
    assert_eq!(status(&t, &broken).await, "ACTIVE");
    assert!(open(&t, "app", digest_of(&one)).await.is_err());
    t.blob("app", &one).await;
    assert_eq!(pulled(&t, "app", digest_of(&one)).await, one);
}

#[tokio::test]
async fn bytes_that_cannot_be_written_to_the_archive_stay_where_they_are() {
    let t = TestCore::with_archive(STRETCH).await;
    t.repository("app").await;
    let layer = bytes(10, 90_000);
    let digest = image_of(&t, "app", 10, &layer).await;
    archive(&t, &digest).await;
    // Where the directories of segments would be there are files.
    let places: Vec<_> = (0..=u8::MAX)
        .map(|fan| t.archive_dir().join(format!("{fan:02x}")))
        .collect();
    for place in &places {
        std::fs::write(place, "").unwrap();
    }
    job::tick(&t.core).await.unwrap_err();
    for place in &places {
        std::fs::remove_file(place).unwrap();
    }
    assert_eq!((t.files(), t.archived_files()), (1, 0));
    t.advance(Duration::from_mins(2));
    t.sweep().await;
    assert_eq!((t.files(), t.archived_files()), (1, 1));
}

#[tokio::test]
async fn a_second_server_goes_on_where_the_first_stopped() {
    let t = TestCore::with_archive(STRETCH).await;
    t.repository("app").await;
    let layer = bytes(11, 450_000);
    let digest = image_of(&t, "app", 11, &layer).await;
    archive(&t, &digest).await;
    for _ in 0..3 {
        job::tick(&t.core).await.unwrap();
    }
    let other = t.replica().await;
    other.sweep().await;
    // The first three stretches were not copied again.
    assert_eq!(t.archived_files(), 5);
    restore(&t, &digest).await;
    let (one, two) = tokio::join!(settle(&t), settle(&other));
    let ((), ()) = (one, two);
    settle(&t).await;
    assert_eq!(status(&t, &digest).await, "ACTIVE");
    assert_eq!(pulled(&t, "app", digest_of(&layer)).await, layer);
    days(&t, 2).await;
    assert_eq!((t.files(), t.archived_files()), (5, 0));
}

#[tokio::test]
async fn without_an_archive_store_bytes_stay_where_they_are() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let layer = bytes(12, 90_000);
    let digest = image_of(&t, "app", 12, &layer).await;
    archive(&t, &digest).await;
    days(&t, 3).await;
    assert_eq!(t.files(), 1);
    restore(&t, &digest).await;
    t.sweep().await;
    assert_eq!(status(&t, &digest).await, "ACTIVE");
    assert_eq!(pulled(&t, "app", digest_of(&layer)).await, layer);
}

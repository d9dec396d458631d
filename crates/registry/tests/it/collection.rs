//! What nothing needs goes, and nothing else.

use std::time::Duration;

use longshore_registry::{
    oci::blob::{HeadBlob, PullBlob},
    op::image::{BatchDeleteImage, PutImage},
};
use longshore_types::{digest::Digest, name::Reference};
use serde_json::json;

use crate::harness::{TestCore, digest_of, oci_manifest};

const LARGE: usize = 100_000;

async fn is_there(t: &TestCore, repository: &str, digest: Digest) -> bool {
    t.run(HeadBlob {
        repository: t.at(repository),
        digest,
    })
    .await
    .is_ok()
}

#[tokio::test]
async fn an_unused_blob_goes_a_day_after_its_upload_and_its_file_a_day_later() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let digest = t.blob("app", &vec![1; LARGE]).await;
    assert_eq!(t.files(), 1);
    t.advance(Duration::from_hours(11));
    t.sweep().await;
    assert!(is_there(&t, "app", digest).await);
    t.advance(Duration::from_hours(14));
    t.sweep().await;
    assert!(!is_there(&t, "app", digest).await);
    assert_eq!(t.files(), 1);
    t.advance(Duration::from_hours(25));
    t.sweep().await;
    assert_eq!(t.files(), 0);
}

#[tokio::test]
async fn a_layer_stays_while_any_image_of_any_repository_uses_it() {
    let t = TestCore::start().await;
    let layer = vec![7; LARGE];
    for repository in ["one", "two"] {
        t.repository(repository).await;
        t.blob(repository, b"{}").await;
        t.blob(repository, &layer).await;
        let manifest = oci_manifest(b"{}", &[&layer]).to_string();
        t.put(repository, &manifest, Some("v1")).await;
    }
    let days = || async {
        for _ in 0..3 {
            t.advance(Duration::from_hours(30));
            t.sweep().await;
        }
    };
    // The second upload of the same bytes has left one file.
    days().await;
    assert_eq!(t.files(), 1);
    t.ok::<BatchDeleteImage>(json!({"repositoryName": "one", "imageIds": [{"imageTag": "v1"}]}))
        .await;
    days().await;
    assert!(!is_there(&t, "one", digest_of(&layer)).await);
    assert!(is_there(&t, "two", digest_of(&layer)).await);
    assert_eq!(t.files(), 1);
    t.delete_repository("two").await;
    days().await;
    assert_eq!(t.files(), 0);
}

#[tokio::test]
async fn an_upload_that_nobody_touches_goes_with_what_it_holds() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let upload = t.start_upload("app").await;
    let append = || t.append("app", upload, vec![1; LARGE]);
    append().await.unwrap();
    t.advance(Duration::from_hours(20));
    t.sweep().await;
    append().await.unwrap();
    t.advance(Duration::from_hours(20));
    t.sweep().await;
    assert_eq!(t.files(), 2);
    t.advance(Duration::from_hours(5));
    t.sweep().await;
    assert!(append().await.is_err());
    assert_eq!(t.files(), 0);
}

#[tokio::test]
async fn what_an_upload_holds_goes_when_nothing_of_it_can_come_any_more() {
    let t = TestCore::settling(Duration::from_mins(40)).await;
    t.repository("app").await;
    let upload = t.start_upload("app").await;
    t.append("app", upload, vec![1; LARGE]).await.unwrap();
    t.cancel_upload("app", upload).await;
    // A request that was answered when it was sent again may still stand somewhere on its way.
    t.advance(Duration::from_mins(39));
    t.sweep().await;
    assert_eq!(t.files(), 1);
    t.advance(Duration::from_mins(2));
    t.sweep().await;
    assert_eq!(t.files(), 0);
}

#[tokio::test]
async fn a_collected_blob_can_be_pushed_again() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let bytes = vec![3; LARGE];
    let digest = t.blob("app", &bytes).await;
    for _ in 0..3 {
        t.advance(Duration::from_hours(25));
        t.sweep().await;
        assert!(!is_there(&t, "app", digest).await);
        t.blob("app", &bytes).await;
        assert!(is_there(&t, "app", digest).await);
    }
}

#[tokio::test]
async fn an_image_pushed_while_its_layer_is_damaged_keeps_it_once_it_is_whole_again() {
    let t = TestCore::start().await;
    let layer = vec![9; LARGE];
    for repository in ["one", "two"] {
        t.repository(repository).await;
        t.blob(repository, b"{}").await;
        t.blob(repository, &layer).await;
    }
    t.damage_files();
    let digest = digest_of(&layer);
    let pull = PullBlob {
        repository: t.at("one"),
        digest,
        range: None,
    };
    let mut pulled = t.run(pull).await.unwrap();
    assert!(pulled.download.next().await.unwrap().is_err());
    assert!(!is_there(&t, "one", digest).await);

    let manifest = oci_manifest(b"{}", &[&layer]).to_string();
    let refused = t
        .refused::<PutImage>(json!({"repositoryName": "one", "imageManifest": manifest}))
        .await;
    assert_eq!(refused.0, "LayersNotFound");
    let tag = Reference::Tag("v1".parse().unwrap());
    t.push("one", &manifest, tag).await.unwrap();
    t.blob("two", &layer).await;
    for _ in 0..3 {
        t.advance(Duration::from_hours(25));
        t.sweep().await;
    }
    assert!(is_there(&t, "one", digest).await);
    assert!(!is_there(&t, "two", digest).await);
}

use std::time::Duration;

use bytes::Bytes;
use longshore_registry::{
    body::Whole,
    extension::RenameRepository,
    oci::{
        blob::{HeadBlob, PullBlob},
        upload::{AppendUpload, CloseUpload, StartUpload, Started},
    },
    op::{
        image::ListImages,
        repository::{CreateRepository, DescribeRepositories},
    },
};
use serde_json::json;

use super::{furnish, seen};
use crate::harness::{ACCOUNT, TestCore, digest_of};

fn rename(from: &str, to: &str) -> serde_json::Value {
    json!({"repositoryName": from, "newRepositoryName": to})
}

#[tokio::test]
async fn a_renamed_repository_has_all_it_had_and_its_old_name_is_free() {
    let t = TestCore::start().await;
    furnish(&t).await;
    let before = seen(&t, t.registry(), "app", &t.caller).await;
    let renamed = t.ok::<RenameRepository>(rename("app", "team/app")).await;
    let described = t
        .ok::<DescribeRepositories>(json!({"repositoryNames": ["team/app"]}))
        .await;
    assert_eq!(renamed["repository"], described["repositories"][0]);
    assert_eq!(renamed["repository"]["repositoryName"], "team/app");
    assert_eq!(renamed["repository"]["createdAt"], 1_700_000_000.123);
    assert_eq!(seen(&t, t.registry(), "team/app", &t.caller).await, before);
    let gone = t
        .refused::<ListImages>(json!({"repositoryName": "app"}))
        .await;
    assert_eq!(gone.0, "RepositoryNotFound");
    t.repository("app").await;
    let empty = t.ok::<ListImages>(json!({"repositoryName": "app"})).await;
    assert_eq!(empty["imageIds"], json!([]));
    assert_eq!(seen(&t, t.registry(), "team/app", &t.caller).await, before);
}

#[tokio::test]
async fn a_name_that_is_taken_or_no_name_or_absent_is_refused() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.repository("other").await;
    let taken = t.refused::<RenameRepository>(rename("app", "other")).await;
    assert_eq!(
        taken.1,
        format!(
            "The repository with name 'other' already exists in the registry with id '{ACCOUNT}'"
        )
    );
    let itself = t.refused::<RenameRepository>(rename("app", "app")).await;
    assert_eq!(itself.0, "RepositoryAlreadyExists");
    let absent = t.refused::<RenameRepository>(rename("none", "some")).await;
    assert_eq!(absent.0, "RepositoryNotFound");
    for input in [
        json!({"repositoryName": "app"}),
        json!({"newRepositoryName": "some"}),
        json!({"repositoryName": "app", "newRepositoryName": "No/Name"}),
        json!({"repositoryName": "app", "newRepositoryName": ""}),
        json!({"repositoryName": "app", "newRepositoryName": "some", "registryId": "1"}),
    ] {
        let refused = t.refused::<RenameRepository>(input).await;
        assert_eq!(refused.0, "InvalidParameter");
    }
}

#[tokio::test]
async fn uploads_and_downloads_under_way_go_on() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let large = vec![3; 600_000];
    let digest = t.blob("app", &large).await;
    let pull = PullBlob {
        repository: t.at("app"),
        digest,
        range: None,
    };
    let mut pulled = t.run(pull).await.unwrap();
    let first = pulled.download.next().await.unwrap().unwrap();
    let start = StartUpload {
        repository: t.at("app"),
        mount: None,
        sha512: false,
    };
    let Started::Upload(upload) = t.run(start).await.unwrap() else {
        panic!("nothing was to be mounted");
    };
    let append = |repository: &str| AppendUpload {
        repository: t.at(repository),
        upload,
        range: None,
        body: Box::new(Whole::new(Bytes::from_static(b"one"))),
    };
    t.run(append("app")).await.unwrap();
    t.ok::<RenameRepository>(rename("app", "new")).await;

    let mut bytes = first.to_vec();
    while let Some(next) = pulled.download.next().await {
        bytes.extend_from_slice(&next.unwrap());
    }
    assert_eq!(bytes, large);
    assert!(t.run(append("app")).await.is_err());
    t.run(append("new")).await.unwrap();
    let digest = digest_of(b"oneone");
    let close = CloseUpload {
        repository: t.at("new"),
        upload,
        range: None,
        digest,
        has_body: false,
        body: Box::new(Whole::new(Bytes::new())),
    };
    t.run(close).await.unwrap();
    let head = HeadBlob {
        repository: t.at("new"),
        digest,
    };
    assert_eq!(t.run(head).await.unwrap(), 6);
}

#[tokio::test]
async fn another_server_knows_the_new_name_at_once() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.image("app", "one", Some("v1")).await;
    let replica = t.replica().await;
    let list = |name: &str| json!({"repositoryName": name});
    replica.ok::<ListImages>(list("app")).await;
    t.ok::<RenameRepository>(rename("app", "new")).await;
    let gone = replica.refused::<ListImages>(list("app")).await;
    assert_eq!(gone.0, "RepositoryNotFound");
    t.ok::<CreateRepository>(list("app")).await;
    let empty = replica.ok::<ListImages>(list("app")).await;
    assert_eq!(empty["imageIds"], json!([]));
    let images = replica.ok::<ListImages>(list("new")).await;
    assert_eq!(images["imageIds"][0]["imageTag"], "v1");
    t.advance(Duration::from_secs(1));
    t.ok::<RenameRepository>(rename("app", "third")).await;
    t.ok::<RenameRepository>(rename("new", "app")).await;
    // What was remembered was another repository's, so the first question is not answered with this one's.
    let swapped = replica.refused::<ListImages>(list("app")).await;
    assert_eq!(swapped.0, "RepositoryNotFound");
    let images = replica.ok::<ListImages>(list("app")).await;
    assert_eq!(images["imageIds"][0]["imageTag"], "v1");
}

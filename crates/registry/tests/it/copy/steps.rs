//! Steps are taken by anyone, once; a change of the source between any two of them is in the copy.

use std::time::Duration;

use longshore_registry::{
    extension::LeaseImages,
    job,
    op::{
        image::{BatchDeleteImage, BatchGetImage, UpdateImageStorageClass},
        repository::{DeleteRepositoryPolicy, PutImageTagMutability},
        resource::UntagResource,
    },
};
use longshore_types::name::Reference;
use serde_json::json;

use super::{begin, furnish, look, other_account, registry, seen};
use crate::harness::{ACCOUNT, OTHER, TestCore, index, oci_manifest};

/// Changes the source in every way: what was there goes, moves and changes, what was not comes.
async fn change(t: &TestCore) {
    t.ok::<PutImageTagMutability>(
        json!({"repositoryName": "app", "imageTagMutability": "MUTABLE"}),
    )
    .await;
    t.advance(Duration::from_secs(5));
    let new = t.image("app", "new", Some("v1")).await;
    t.image("app", "two", Some("v2-too")).await;
    let gone =
        json!({"repositoryName": "app", "imageIds": [{"imageTag": "v2"}, {"imageTag": "index"}]});
    t.ok::<BatchDeleteImage>(gone).await;
    // The layer that an image lacks comes.
    t.blob("app", b"never pushed").await;
    let manifest = t.manifest("app", "child").await;
    t.put("app", &manifest, None).await;
    t.put("app", &index(&[&manifest]), Some("tree")).await;
    let sparse = oci_manifest(b"{}", &[b"neither pushed"]).to_string();
    t.push("app", &sparse, Reference::Tag("sparse".parse().unwrap()))
        .await
        .unwrap();
    let briefly = t.image("app", "briefly", Some("brief")).await;
    for image in [briefly, new] {
        let ids = json!([{"imageDigest": image}]);
        t.ok::<BatchDeleteImage>(json!({"repositoryName": "app", "imageIds": ids}))
            .await;
    }
    let class = |class: &str, tag: &str| {
        t.ok::<UpdateImageStorageClass>(json!({
            "repositoryName": "app", "imageId": {"imageTag": tag}, "targetStorageClass": class
        }))
    };
    class("STANDARD", "old").await;
    class("ARCHIVE", "v2-too").await;
    let v1 = json!({"repositoryName": "app", "imageIds": [{"imageTag": "big"}]});
    t.ok::<LeaseImages>(v1.clone()).await;
    t.ok::<BatchGetImage>(v1).await;
    t.ok::<UntagResource>(json!({
        "resourceArn": format!("arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/app"),
        "tagKeys": ["team"],
    }))
    .await;
    t.ok::<DeleteRepositoryPolicy>(json!({"repositoryName": "app"}))
        .await;
}

#[tokio::test]
async fn changes_between_any_two_steps_are_in_the_copy() {
    for to in [
        json!({"targetRepositoryName": "new"}),
        json!({"targetRegistryId": OTHER, "targetRepositoryName": "new"}),
    ] {
        let mut steps = 0;
        loop {
            let t = TestCore::start().await;
            furnish(&t).await;
            let root = other_account(&t).await;
            let id = begin(&t, to.clone()).await;
            for _ in 0..steps {
                job::tick(&t.core).await.unwrap();
            }
            if look(&t, &id).await["status"] != "IN_PROGRESS" {
                break;
            }
            change(&t).await;
            t.advance(Duration::from_secs(20));
            t.sweep().await;
            let told = look(&t, &id).await;
            assert_eq!(told["status"], "COMPLETE", "after {steps} steps: {told}");
            let source = seen(&t, t.registry(), "app", &t.caller).await;
            let target = match to.get("targetRegistryId") {
                None => seen(&t, t.registry(), "new", &t.caller).await,
                Some(_) => seen(&t, registry(OTHER, "eu-central-1"), "new", &root).await,
            };
            assert_eq!(target, source, "changed after {steps} steps");
            steps += 1;
        }
        assert!(steps >= 5, "{steps} steps");
    }
}

#[tokio::test]
async fn two_servers_share_the_steps() {
    let t = TestCore::start().await;
    furnish(&t).await;
    let root = other_account(&t).await;
    let replica = t.replica().await;
    let id = begin(&t, json!({"targetRegistryId": OTHER})).await;
    while look(&t, &id).await["status"] == "IN_PROGRESS" {
        let (one, other) = tokio::join!(job::tick(&t.core), job::tick(&replica.core));
        one.unwrap();
        other.unwrap();
    }
    let told = look(&t, &id).await;
    assert_eq!(
        (&told["status"], &told["copiedImageCount"]),
        (&json!("COMPLETE"), &told["imageCount"])
    );
    let there = registry(OTHER, "eu-central-1");
    let source = seen(&t, t.registry(), "app", &t.caller).await;
    assert_eq!(seen(&t, there, "app", &root).await, source);
}

#[tokio::test]
async fn many_images_and_tags_take_many_steps() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let config = oci_manifest(b"{}", &[]);
    t.blob("app", b"{}").await;
    for idx in 0..250 {
        let mut manifest = config.clone();
        manifest["annotations"] = json!({"idx": idx.to_string()});
        let tag = format!("v{idx}");
        t.put("app", &manifest.to_string(), Some(&tag)).await;
        if idx == 7 {
            for more in 0..1100 {
                let tag = format!("also-{more}");
                t.put("app", &manifest.to_string(), Some(&tag)).await;
            }
        }
    }
    let id = begin(&t, json!({"targetRepositoryName": "new"})).await;
    for _ in 0..5 {
        job::tick(&t.core).await.unwrap();
    }
    // An image with more tags than a transaction removes goes while it is copied.
    let image = json!({"repositoryName": "app", "imageIds": [{"imageTag": "v7"}]});
    let listed = t
        .ok::<longshore_registry::op::image::DescribeImages>(image)
        .await;
    let digest = &listed["imageDetails"][0]["imageDigest"];
    t.ok::<BatchDeleteImage>(
        json!({"repositoryName": "app", "imageIds": [{"imageDigest": digest}]}),
    )
    .await;
    t.sweep().await;
    let told = look(&t, &id).await;
    assert_eq!(told["status"], "COMPLETE", "{told}");
    assert_eq!(told["copiedImageCount"], 249);
    let source = seen(&t, t.registry(), "app", &t.caller).await;
    assert_eq!(seen(&t, t.registry(), "new", &t.caller).await, source);
}

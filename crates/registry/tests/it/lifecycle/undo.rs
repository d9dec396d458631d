//! The undo window: what a policy expired comes back whole, for as long as the policy says.

use longshore_registry::{
    extension::{ListExpiredImages, RestoreExpiredImages},
    op::{image::BatchGetImage, layer::BatchCheckLayerAvailability, lifecycle::PutLifecyclePolicy},
    operator::scrub,
};
use longshore_store::meta::Durability;
use serde_json::{Value, json};

use super::{DAY, age, delete, left, run, set, start, tags};
use crate::harness::{TestCore, index, referrer, texts};

/// Expires everything older than 14 days; what goes can be brought back for three days.
async fn policy(t: &TestCore) {
    let text = json!({"rules": [age(1, &["any"], 14)], "x-longshore-undoHours": 72}).to_string();
    let put = json!({"repositoryName": "app", "lifecyclePolicyText": text});
    t.ok::<PutLifecyclePolicy>(put).await;
}

async fn restore(t: &TestCore, digests: &[&String]) -> Value {
    let id = |digest: &&String| json!({"imageDigest": digest});
    let ids: Vec<Value> = digests.iter().map(id).collect();
    t.ok::<RestoreExpiredImages>(json!({"repositoryName": "app", "imageIds": ids}))
        .await
}

async fn expired(t: &TestCore) -> Vec<String> {
    let named = json!({"repositoryName": "app"});
    let found = t.ok::<ListExpiredImages>(named).await;
    texts(&found["expiredImages"], "imageDigest")
}

async fn sweep_days(t: &TestCore, hours: u32) {
    for _ in 0..hours.div_ceil(12) {
        t.advance(DAY / 2);
        t.sweep().await;
    }
}

#[tokio::test]
async fn what_was_expired_is_gone_and_comes_back_with_all_its_bytes() {
    let t = start().await;
    policy(&t).await;
    let manifest = t.manifest("app", "one").await;
    let image = t.put("app", &manifest, Some("v1")).await;
    t.put("app", &manifest, Some("v2")).await;
    t.advance(DAY * 15);
    run(&t).await;
    assert!(left(&t).await.is_empty());
    let ids = json!([{"imageDigest": image}, {"imageTag": "v1"}]);
    let get = json!({"repositoryName": "app", "imageIds": ids});
    assert_eq!(
        t.ok::<BatchGetImage>(get.clone()).await["images"],
        json!([])
    );
    assert_eq!(expired(&t).await, std::slice::from_ref(&image));
    // Every promise has ended by then, and what nothing needs is collected.
    sweep_days(&t, 60).await;
    let other = t.image("app", "other", Some("v2")).await;
    let answer = restore(&t, &[&image]).await;
    assert_eq!(answer["failures"], json!([]));
    assert_eq!(
        answer["images"],
        json!([{"imageDigest": image, "imageTags": ["v1"]}])
    );
    assert_eq!(left(&t).await, set(&[&image, &other]));
    assert_eq!(tags(&t).await, ["v1", "v2"]);
    assert!(expired(&t).await.is_empty());
    let got = t.ok::<BatchGetImage>(get).await;
    assert_eq!(got["images"][0]["imageManifest"], json!(manifest));
    assert_eq!(available(&t, &manifest).await, ["AVAILABLE", "AVAILABLE"]);
    // It is as new as its return, and goes again.
    run(&t).await;
    assert_eq!(left(&t).await, set(&[&image, &other]));
    t.advance(DAY * 15);
    run(&t).await;
    assert!(left(&t).await.is_empty());
    let again = restore(&t, &[&image]).await;
    assert_eq!(texts(&again["images"], "imageDigest"), [image]);
}

#[tokio::test]
async fn after_the_window_nothing_is_left() {
    let t = start().await;
    policy(&t).await;
    let image = t.image("app", "one", Some("v1")).await;
    t.advance(DAY * 15);
    run(&t).await;
    sweep_days(&t, 24 * 6).await;
    assert!(expired(&t).await.is_empty());
    let answer = restore(&t, &[&image]).await;
    assert_eq!(texts(&answer["failures"], "failureCode"), ["ImageNotFound"]);
    for table in ["expired_image", "expired_layer", "link", "blob", "image"] {
        assert_eq!(rows(&t, table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn an_index_comes_back_with_its_children_and_referrers() {
    let t = start().await;
    policy(&t).await;
    let child = t.manifest("app", "child").await;
    let child_digest = t.put("app", &child, None).await;
    let inner = index(&[&child]);
    let inner_digest = t.put("app", &inner, None).await;
    let outer_manifest = index(&[&inner]);
    let outer = t.put("app", &outer_manifest, Some("v1")).await;
    t.blob("app", b"signature").await;
    let signature = referrer(b"signature", &outer_manifest, "application/x-signature");
    let signature = t.put("app", &signature.to_string(), None).await;
    let all = set(&[&child_digest, &inner_digest, &outer, &signature]);
    t.advance(DAY * 15);
    run(&t).await;
    assert!(left(&t).await.is_empty());
    sweep_days(&t, 48).await;
    let answer = restore(&t, &[&outer]).await;
    assert_eq!(
        texts(&answer["images"], "imageDigest"),
        [child_digest, inner_digest, outer, signature]
    );
    assert_eq!(left(&t).await, all);
    // It is the same set by which it would go.
    run(&t).await;
    assert_eq!(left(&t).await, all);
}

#[tokio::test]
async fn what_was_pushed_again_or_deleted_by_somebody_is_not_brought_back() {
    let t = start().await;
    policy(&t).await;
    let manifest = t.manifest("app", "one").await;
    let image = t.put("app", &manifest, Some("v1")).await;
    t.advance(DAY * 15);
    run(&t).await;
    let blobs = t.manifest("app", "one").await;
    assert_eq!(blobs, manifest);
    t.put("app", &manifest, Some("v3")).await;
    let answer = restore(&t, &[&image]).await;
    assert_eq!(
        texts(&answer["images"], "imageDigest"),
        std::slice::from_ref(&image)
    );
    assert_eq!(tags(&t).await, ["v1", "v3"]);
    delete(&t, &image).await;
    assert!(expired(&t).await.is_empty());
    let answer = restore(&t, &[&image]).await;
    assert_eq!(texts(&answer["failures"], "failureCode"), ["ImageNotFound"]);
}

#[tokio::test]
async fn expired_images_die_with_their_repository() {
    let t = start().await;
    policy(&t).await;
    let image = t.image("app", "one", Some("v1")).await;
    t.advance(DAY * 15);
    run(&t).await;
    t.delete_repository("app").await;
    t.repository("app").await;
    assert!(expired(&t).await.is_empty());
    let answer = restore(&t, &[&image]).await;
    assert_eq!(texts(&answer["failures"], "failureCode"), ["ImageNotFound"]);
    t.sweep().await;
    sweep_days(&t, 48).await;
    assert_eq!(rows(&t, "expired_image").await, 0);
    assert_eq!(rows(&t, "blob").await, 0);
}

#[tokio::test]
async fn the_layers_of_an_expired_image_are_as_absent_as_those_of_a_deleted_one() {
    let t = start().await;
    policy(&t).await;
    let manifest = t.manifest("app", "one").await;
    t.put("app", &manifest, Some("v1")).await;
    t.advance(DAY * 15);
    run(&t).await;
    assert_eq!(available(&t, &manifest).await, ["AVAILABLE", "AVAILABLE"]);
    sweep_days(&t, 48).await;
    assert_eq!(
        available(&t, &manifest).await,
        ["UNAVAILABLE", "UNAVAILABLE"]
    );
    assert_eq!(rows(&t, "blob").await, 2);
}

/// Whether the configuration and the layer of an image can be used.
async fn available(t: &TestCore, manifest: &str) -> Vec<String> {
    let manifest: Value = serde_json::from_str(manifest).unwrap();
    let digests = json!([
        manifest["config"]["digest"],
        manifest["layers"][0]["digest"]
    ]);
    let check = json!({"repositoryName": "app", "layerDigests": digests});
    let checked = t.ok::<BatchCheckLayerAvailability>(check).await;
    let mut found = texts(&checked["layers"], "layerAvailability");
    let failed = checked["failures"].as_array().unwrap().len();
    found.extend(vec!["UNAVAILABLE".to_owned(); failed]);
    found
}

async fn rows(t: &TestCore, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    let count = move |tx: &mut dyn longshore_store::meta::Tx| tx.count(&sql, &[]);
    t.core.meta.read(count).await.unwrap()
}

#[tokio::test]
async fn a_scrub_opens_the_manifest_of_what_can_be_brought_back() {
    let t = start().await;
    policy(&t).await;
    let image = t.image("app", "one", Some("v1")).await;
    t.advance(DAY * 15);
    run(&t).await;
    let scrubbed = async || {
        let done = scrub::scrub(&t.core, scrub::Options::default(), |_| {}).await;
        done.unwrap()
    };
    let sound = scrubbed().await;
    assert_eq!((sound.images, sound.damaged), (1, 0));
    t.core
        .meta
        .write(Durability::Durable, |tx| {
            let sql = "UPDATE expired_image SET manifest = substr(manifest, 1, 4)";
            tx.execute(sql, &[])
        })
        .await
        .unwrap();
    let rotten = scrubbed().await;
    assert_eq!(rotten.damaged, 1);
    assert_eq!(rotten.findings[0].digest, image);
}

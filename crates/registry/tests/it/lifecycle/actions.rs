//! What rules do beside expiring: images are archived, lose tags, and go by their last pull.

use longshore_registry::op::image::{BatchDeleteImage, DescribeImages, UpdateImageStorageClass};
use longshore_store::meta::{Durability, Tx, Value as Argument};
use serde_json::{Value, json};

use super::{DAY, INTERVAL, age, count, left, preview, put, rule, run, set, start, tags};
use crate::harness::{TestCore, index, referrer, texts};

fn since(count_type: &str, number: u32, selection: &Value) -> Value {
    let mut selection = selection.clone();
    selection["countType"] = json!(count_type);
    selection["countUnit"] = json!("days");
    selection["countNumber"] = json!(number);
    selection
}

fn archiving(mut rule: Value) -> Value {
    rule["action"] = json!({"type": "transition", "targetStorageClass": "archive"});
    rule
}

fn untagging(mut rule: Value) -> Value {
    rule["action"] = json!({"type": "x-longshore-untag"});
    rule
}

fn excluding(mut rule: Value, patterns: &[&str]) -> Value {
    rule["selection"]["x-longshore-excludeTagPatterns"] = json!(patterns);
    rule
}

/// Expires what has been archived for so many days.
fn archived(priority: u32, days: u32) -> Value {
    let any = json!({"tagStatus": "any", "storageClass": "archive"});
    rule(priority, &since("sinceImageTransitioned", days, &any))
}

async fn of_status(t: &TestCore, status: &str) -> std::collections::BTreeSet<String> {
    let input =
        json!({"repositoryName": "app", "maxResults": 1000, "filter": {"imageStatus": status}});
    let found = t.ok::<DescribeImages>(input).await;
    texts(&found["imageDetails"], "imageDigest")
        .into_iter()
        .collect()
}

async fn pull(t: &TestCore, digest: &str) {
    let digest: longshore_types::digest::Digest = digest.parse().unwrap();
    let now = t.core.meta.now();
    t.core
        .meta
        .write(Durability::Soft, move |tx: &mut dyn Tx| {
            tx.execute(
                "INSERT INTO image_pull (incarnation, digest, pulled_at) SELECT incarnation, digest, ?2 FROM image WHERE digest = ?1 \
                 ON CONFLICT (incarnation, digest) DO UPDATE SET pulled_at = excluded.pulled_at",
                &[Argument::from(&digest.to_key()), Argument::from(now)],
            )
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_not_pulled_is_archived_and_later_expired() {
    let t = start().await;
    let used = t.image("app", "used", Some("v1")).await;
    let unused = t.image("app", "unused", Some("v2")).await;
    let any = json!({"tagStatus": "any"});
    let rules = [
        archiving(rule(1, &since("sinceImagePulled", 30, &any))),
        archived(2, 90),
    ];
    t.advance(DAY * 20);
    pull(&t, &used).await;
    t.advance(DAY * 20);
    let shown = preview(&t, &rules).await;
    assert_eq!(
        shown["summary"],
        json!({
            "expiringImageTotalCount": 0,
            "transitioningImageTotalCounts": [{"targetStorageClass": "ARCHIVE", "imageTotalCount": 1}],
        })
    );
    let result = &shown["previewResults"][0];
    assert_eq!(
        (
            &result["imageDigest"],
            &result["action"],
            &result["storageClass"]
        ),
        (
            &json!(unused),
            &json!({"type": "TRANSITION", "targetStorageClass": "ARCHIVE"}),
            &json!("STANDARD")
        )
    );
    put(&t, &rules).await;
    run(&t).await;
    assert_eq!(of_status(&t, "ARCHIVED").await, set(&[&unused]));
    assert_eq!(of_status(&t, "ACTIVE").await, set(&[&used]));
    // The other follows; the first is not old enough in the archive.
    t.advance(DAY * 89);
    run(&t).await;
    assert_eq!(of_status(&t, "ARCHIVED").await, set(&[&unused, &used]));
    t.advance(DAY);
    let shown = preview(&t, &rules).await;
    let result = &shown["previewResults"][0];
    assert_eq!(shown["summary"], json!({"expiringImageTotalCount": 1}));
    assert_eq!(
        (
            &result["imageDigest"],
            &result["storageClass"],
            &result["appliedRulePriority"]
        ),
        (&json!(unused), &json!("ARCHIVE"), &json!(2))
    );
    run(&t).await;
    assert_eq!(of_status(&t, "ANY").await, set(&[&used]));
    t.advance(DAY * 90);
    run(&t).await;
    assert!(of_status(&t, "ANY").await.is_empty());
}

#[tokio::test]
async fn a_restored_image_is_as_old_as_its_restoration() {
    let t = start().await;
    let mut digests = Vec::new();
    for idx in 0..4 {
        digests.push(t.image("app", &format!("image {idx}"), None).await);
        t.advance(DAY);
    }
    let store = |class: &'static str| json!({"repositoryName": "app", "imageId": {"imageDigest": digests[0]}, "targetStorageClass": class});
    t.ok::<UpdateImageStorageClass>(store("ARCHIVE")).await;
    // Of the archive, rules about others see nothing.
    put(&t, &[count(1, &["any"], 2)]).await;
    run(&t).await;
    assert_eq!(
        of_status(&t, "ANY").await,
        set(&[&digests[0], &digests[2], &digests[3]])
    );
    t.ok::<UpdateImageStorageClass>(store("STANDARD")).await;
    t.sweep().await;
    assert_eq!(of_status(&t, "ACTIVE").await.len(), 3);
    run(&t).await;
    assert_eq!(left(&t).await, set(&[&digests[0], &digests[3]]));
    t.advance(DAY * 5);
    put(&t, &[age(1, &["any"], 6)]).await;
    run(&t).await;
    assert_eq!(left(&t).await, set(&[&digests[0]]));
    t.advance(DAY);
    run(&t).await;
    assert!(left(&t).await.is_empty());
}

#[tokio::test]
async fn an_index_is_archived_before_its_children_and_referrers_after_their_subject() {
    let t = start().await;
    let child = t.manifest("app", "child").await;
    let child_digest = t.put("app", &child, None).await;
    let other = t.image("app", "other", None).await;
    let outer_manifest = index(&[&child]);
    let outer = t.put("app", &outer_manifest, Some("v1")).await;
    t.blob("app", b"signature").await;
    let signature = referrer(b"signature", &outer_manifest, "application/x-signature");
    let signature = t.put("app", &signature.to_string(), None).await;
    t.advance(DAY * 30);
    // The index is not selected: its child stays, and its referrer.
    let rules = [archiving(age(1, &["untagged"], 14))];
    assert_eq!(
        texts(&preview(&t, &rules).await["previewResults"], "imageDigest"),
        std::slice::from_ref(&other)
    );
    put(&t, &rules).await;
    run(&t).await;
    assert_eq!(of_status(&t, "ARCHIVED").await, set(&[&other]));
    let rules = [archiving(age(1, &["any"], 14))];
    let shown = preview(&t, &rules).await;
    assert_eq!(shown["previewResults"].as_array().unwrap().len(), 3);
    put(&t, &rules).await;
    run(&t).await;
    assert_eq!(
        of_status(&t, "ARCHIVED").await,
        set(&[&other, &outer, &child_digest, &signature])
    );
    // They go together, too.
    t.advance(DAY * 91);
    put(&t, &[archived(1, 90)]).await;
    run(&t).await;
    assert!(of_status(&t, "ANY").await.is_empty());
}

#[tokio::test]
async fn what_refers_to_an_archived_subject_follows_it_later() {
    let t = start().await;
    put(&t, &[archived(1, 90)]).await;
    let manifest = t.manifest("app", "image").await;
    let subject = t.put("app", &manifest, Some("v1")).await;
    t.blob("app", b"signature").await;
    let signature = referrer(b"signature", &manifest, "application/x-signature");
    let signature = t.put("app", &signature.to_string(), None).await;
    let archive = json!({"repositoryName": "app", "imageId": {"imageTag": "v1"}, "targetStorageClass": "ARCHIVE"});
    t.ok::<UpdateImageStorageClass>(archive).await;
    run(&t).await;
    assert_eq!(
        of_status(&t, "ARCHIVED").await,
        set(&[&subject, &signature])
    );
}

#[tokio::test]
async fn tags_go_and_images_stay() {
    let t = start().await;
    let manifest = t.manifest("app", "one").await;
    let old = t.put("app", &manifest, Some("sha-1")).await;
    t.put("app", &manifest, Some("v1")).await;
    let kept = t.image("app", "kept", Some("sha-keep")).await;
    t.advance(DAY * 30);
    let new = t.image("app", "new", Some("sha-2")).await;
    let rules = [excluding(untagging(age(1, &["sha-*"], 14)), &["*keep"])];
    let shown = preview(&t, &rules).await;
    assert_eq!(shown["previewResults"], json!([]));
    assert_eq!(
        shown["summary"],
        json!({"expiringImageTotalCount": 0, "x-longshore-untaggingImageTotalCount": 1})
    );
    let result = &shown["x-longshore-untaggingResults"][0];
    assert_eq!(
        (&result["imageDigest"], &result["imageTags"]),
        (&json!(old), &json!(["sha-1"]))
    );
    put(&t, &rules).await;
    run(&t).await;
    assert_eq!(left(&t).await, set(&[&old, &kept, &new]));
    assert_eq!(tags(&t).await, ["sha-2", "sha-keep", "v1"]);
}

#[tokio::test]
async fn an_image_with_very_many_tags_loses_those_of_the_rule() {
    let t = start().await;
    t.image("app", "one", Some("keep")).await;
    t.core
        .meta
        .write(Durability::Soft, |tx: &mut dyn Tx| {
            tx.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) \
                 INSERT INTO tag (incarnation, name, image) SELECT incarnation, 'sha-' || i, digest FROM n, image",
                &[],
            )
        })
        .await
        .unwrap();
    t.advance(DAY * 30);
    put(&t, &[untagging(age(1, &["sha-*"], 14))]).await;
    run(&t).await;
    assert_eq!(tags(&t).await, ["keep"]);
}

#[tokio::test]
async fn what_is_not_pulled_expires_and_excluded_tags_stay() {
    let t = start().await;
    let used = t.image("app", "used", Some("a")).await;
    let pushed = t.manifest("app", "pushed").await;
    let again = t.put("app", &pushed, Some("b")).await;
    let unused = t.image("app", "unused", Some("c")).await;
    let release = t.image("app", "release", Some("v1")).await;
    t.advance(DAY * 20);
    pull(&t, &used).await;
    pull(&t, &again).await;
    t.advance(DAY * 20);
    t.put("app", &pushed, Some("b2")).await;
    let any = json!({"tagStatus": "any"});
    let rules = [excluding(
        rule(1, &since("x-longshore-sinceImagePulled", 15, &any)),
        &["v*"],
    )];
    let shown = preview(&t, &rules).await;
    let results = texts(&shown["previewResults"], "imageDigest");
    put(&t, &rules).await;
    // A pull that comes before the run counts.
    pull(&t, &used).await;
    run(&t).await;
    assert_eq!(left(&t).await, set(&[&used, &again, &release]));
    assert_eq!(
        results
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>(),
        set(&[&used, &unused])
    );
}

#[tokio::test]
async fn a_pull_or_a_restoration_while_a_run_is_under_way_counts() {
    let any = json!({"tagStatus": "any"});
    let mut n_kept = 0;
    for n_steps in 0..9 {
        let t = start().await;
        let image = t.image("app", "one", Some("v1")).await;
        t.advance(DAY * 30);
        put(
            &t,
            &[rule(1, &since("x-longshore-sinceImagePulled", 15, &any))],
        )
        .await;
        t.advance(INTERVAL);
        for _ in 0..n_steps {
            longshore_registry::job::lifecycle::tick(&t.core, Some(t.core.meta.now()))
                .await
                .unwrap();
        }
        let before = left(&t).await;
        pull(&t, &image).await;
        while longshore_registry::job::lifecycle::tick(&t.core, Some(t.core.meta.now()))
            .await
            .unwrap()
            .more
        {}
        assert_eq!(left(&t).await, before, "after {n_steps} steps");
        n_kept += before.len();
    }
    assert!(n_kept > 2 && n_kept < 9, "{n_kept}");
}

#[tokio::test]
async fn an_image_expires_only_when_no_archived_index_names_it() {
    let t = start().await;
    let child = t.manifest("app", "child").await;
    let child_digest = t.put("app", &child, Some("child")).await;
    let outer = t.put("app", &index(&[&child]), Some("outer")).await;
    t.advance(DAY * 30);
    let rules = [archiving(age(1, &["outer"], 14)), age(2, &["child"], 14)];
    let shown = preview(&t, &rules).await;
    assert_eq!(
        texts(&shown["previewResults"], "imageDigest"),
        std::slice::from_ref(&outer)
    );
    put(&t, &rules).await;
    run(&t).await;
    run(&t).await;
    assert_eq!(of_status(&t, "ARCHIVED").await, set(&[&outer]));
    assert_eq!(left(&t).await, set(&[&child_digest]));
    let delete = json!({"repositoryName": "app", "imageIds": [{"imageDigest": outer}]});
    t.ok::<BatchDeleteImage>(delete).await;
    run(&t).await;
    assert!(left(&t).await.is_empty());
}

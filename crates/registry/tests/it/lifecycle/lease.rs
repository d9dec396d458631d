//! Images in use: leases, and what they keep from policies.

use std::time::Duration;

use longshore_registry::{
    extension::{LeaseImages, ListImageLeases},
    job,
};
use longshore_types::{digest::Digest, name::Reference};
use serde_json::{Value, json};

use super::{DAY, INTERVAL, age, count, delete, left, preview, put, run, set, start};
use crate::harness::{ACCOUNT, TestCore, digest_of, index, referrer, texts};

const HOUR: Duration = Duration::from_hours(1);

async fn lease(t: &TestCore, digests: &[&String], seconds: i64) -> Value {
    let id = |digest: &&String| json!({"imageDigest": digest});
    let ids: Vec<Value> = digests.iter().map(id).collect();
    t.ok::<LeaseImages>(
        json!({"repositoryName": "app", "imageIds": ids, "durationSeconds": seconds}),
    )
    .await
}

async fn leased(t: &TestCore) -> Vec<String> {
    let named = json!({"repositoryName": "app"});
    texts(
        &t.ok::<ListImageLeases>(named).await["leases"],
        "imageDigest",
    )
}

#[tokio::test]
async fn a_leased_image_stays_until_its_lease_ends() {
    let t = start().await;
    let used = t.image("app", "used", Some("v1")).await;
    let unused = t.image("app", "unused", Some("v2")).await;
    t.advance(DAY * 30);
    let answer = lease(&t, &[&used], 3600).await;
    assert_eq!(
        answer,
        json!({
            "registryId": ACCOUNT,
            "repositoryName": "app",
            "leases": [{"imageDigest": used, "expiresAt": 1_702_595_600.123}],
            "failures": [],
        })
    );
    let rules = [age(1, &["v*"], 14)];
    let shown = preview(&t, &rules).await;
    assert_eq!(texts(&shown["previewResults"], "imageDigest"), [unused]);
    assert_eq!(shown["summary"], json!({"expiringImageTotalCount": 1}));
    let held = &shown["x-longshore-leasedResults"];
    assert_eq!(held[0]["imageDigest"], json!(used));
    assert_eq!(held[0]["appliedRulePriority"], 1);
    put(&t, &rules).await;
    run(&t).await;
    assert_eq!(left(&t).await, set(&[&used]));
    // Renewed, and not shortened.
    lease(&t, &[&used], 3 * 3600).await;
    lease(&t, &[&used], 60).await;
    t.advance(HOUR * 2);
    run(&t).await;
    assert_eq!(left(&t).await, set(&[&used]));
    t.advance(HOUR);
    assert!(leased(&t).await.is_empty());
    run(&t).await;
    assert!(left(&t).await.is_empty());
}

#[tokio::test]
async fn what_belongs_to_a_leased_image_stays_with_it() {
    for which in ["index", "child", "outer", "none"] {
        let t = start().await;
        let child = t.manifest("app", "child").await;
        let child_digest = t.put("app", &child, None).await;
        let inner = index(&[&child]);
        let inner_digest = t.put("app", &inner, None).await;
        let outer = t.put("app", &index(&[&inner]), Some("v1")).await;
        t.blob("app", b"signature").await;
        let signature = referrer(b"signature", &inner, "application/x-signature");
        let signature = t.put("app", &signature.to_string(), None).await;
        let unused = t.image("app", "unused", Some("v2")).await;
        t.advance(DAY * 30);
        match which {
            "index" => drop(lease(&t, &[&inner_digest], 7200).await),
            "child" => drop(lease(&t, &[&child_digest], 7200).await),
            "outer" => drop(lease(&t, &[&outer], 7200).await),
            _ => {}
        }
        let rules = [count(1, &["never"], 1), age(2, &["any"], 14)];
        let shown = preview(&t, &rules).await;
        let all = set(&[&child_digest, &inner_digest, &outer, &signature]);
        let held = shown.get("x-longshore-leasedResults");
        let held = held.map(|held| texts(held, "imageDigest").into_iter().collect());
        put(&t, &rules).await;
        run(&t).await;
        if which == "none" {
            assert_eq!(held, None);
            assert!(left(&t).await.is_empty());
        } else {
            assert_eq!(held.as_ref(), Some(&all), "{which}");
            assert_eq!(
                texts(&shown["previewResults"], "imageDigest"),
                [unused],
                "{which}"
            );
            assert_eq!(left(&t).await, all, "{which}");
        }
    }
}

#[tokio::test]
async fn a_lease_that_comes_while_a_run_is_under_way_counts() {
    let mut n_kept = 0;
    for n_steps in 0..9 {
        let t = start().await;
        let child = t.manifest("app", "child").await;
        let child_digest = t.put("app", &child, None).await;
        let outer = t.put("app", &index(&[&child]), Some("v1")).await;
        t.advance(DAY * 30);
        put(&t, &[age(1, &["any"], 14)]).await;
        t.advance(INTERVAL);
        for _ in 0..n_steps {
            job::lifecycle::tick(&t.core, Some(t.core.meta.now()))
                .await
                .unwrap();
        }
        let before = left(&t).await;
        lease(&t, &[&child_digest], 3600).await;
        while job::lifecycle::tick(&t.core, Some(t.core.meta.now()))
            .await
            .unwrap()
            .more
        {}
        // The index may have gone by then; what is leased has not.
        assert_eq!(left(&t).await, before, "after {n_steps} steps");
        n_kept += usize::from(before == set(&[&child_digest, &outer]));
    }
    assert!(n_kept > 3, "{n_kept}");
}

#[tokio::test]
async fn whoever_may_delete_a_leased_image_deletes_it() {
    let t = start().await;
    let image = t.image("app", "one", Some("v1")).await;
    lease(&t, &[&image], 3600).await;
    delete(&t, &image).await;
    assert!(left(&t).await.is_empty());
    assert!(leased(&t).await.is_empty());
    // What is pushed again is not leased.
    t.image("app", "one", Some("v1")).await;
    assert!(leased(&t).await.is_empty());
    lease(&t, &[&image], 3600).await;
    t.delete_repository("app").await;
    t.sweep().await;
}

#[tokio::test]
async fn images_are_leased_by_any_name_and_those_that_are_not_there_are_told() {
    let t = start().await;
    let manifest = t.manifest("app", "one").await;
    let digest = t.put("app", &manifest, Some("v1")).await;
    let long = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, manifest.as_bytes());
    let long = Digest::sha512(long.as_ref().try_into().unwrap());
    t.push("app", &manifest, Reference::Digest(long))
        .await
        .unwrap();
    let absent = digest_of(b"absent").to_string();
    let ids = json!([
        {"imageTag": "v1"},
        {"imageDigest": long.to_string()},
        {"imageDigest": absent},
        {"imageTag": "v2"},
        {"imageTag": "no tag"},
        {"imageDigest": "no digest"},
        {},
    ]);
    let answer = t
        .ok::<LeaseImages>(json!({"repositoryName": "app", "imageIds": ids}))
        .await;
    assert_eq!(texts(&answer["leases"], "imageDigest"), [digest]);
    assert_eq!(
        texts(&answer["failures"], "failureCode"),
        [
            "ImageNotFound",
            "ImageNotFound",
            "InvalidImageTag",
            "InvalidImageDigest",
            "MissingDigestAndTag",
        ]
    );
    // Six hours, when nobody says.
    assert_eq!(answer["leases"][0]["expiresAt"], 1_700_021_600.123);
}

#[tokio::test]
async fn inputs_are_bounded() {
    let t = start().await;
    let id = json!({"imageTag": "v1"});
    for (member, value, what) in [
        (
            "durationSeconds",
            json!(59),
            "Member must have value greater than or equal to 60",
        ),
        (
            "durationSeconds",
            json!(-1),
            "Member must have value greater than or equal to 60",
        ),
        (
            "durationSeconds",
            json!(604_801),
            "Member must have value less than or equal to 604800",
        ),
        (
            "imageIds",
            json!([]),
            "Member must have length greater than or equal to 1",
        ),
        (
            "imageIds",
            json!(vec![id.clone(); 101]),
            "Member must have length less than or equal to 100",
        ),
        ("imageIds", Value::Null, "Member must not be null"),
    ] {
        let mut input = json!({"repositoryName": "app", "imageIds": [id]});
        input[member] = value;
        let refused = t.refused::<LeaseImages>(input).await;
        let text =
            format!("Invalid parameter at '{member}' failed to satisfy constraint: '{what}'");
        assert_eq!(refused, ("InvalidParameter".to_owned(), text));
    }
    for input in [json!({"maxResults": 0}), json!({"nextToken": "x"})] {
        let mut input = input;
        input["repositoryName"] = json!("app");
        let refused = t.refused::<ListImageLeases>(input).await;
        assert_eq!(refused.0, "InvalidParameter");
    }
    for refused in [
        t.refused::<LeaseImages>(json!({"repositoryName": "none", "imageIds": [id]}))
            .await,
        t.refused::<ListImageLeases>(json!({"repositoryName": "none"}))
            .await,
    ] {
        assert_eq!(refused.0, "RepositoryNotFound");
    }
}

#[tokio::test]
async fn leases_are_listed_in_pages_and_forgotten_when_they_end() {
    let t = start().await;
    let mut digests = Vec::new();
    for idx in 0..7 {
        digests.push(t.image("app", &format!("image {idx}"), None).await);
    }
    lease(&t, &digests.iter().collect::<Vec<_>>(), 60).await;
    digests.sort();
    for size in 1..8 {
        let (mut found, mut input) = (
            Vec::new(),
            json!({"repositoryName": "app", "maxResults": size}),
        );
        loop {
            let page = t.ok::<ListImageLeases>(input.clone()).await;
            found.extend(texts(&page["leases"], "imageDigest"));
            match page.get("nextToken") {
                Some(token) => input["nextToken"] = token.clone(),
                None => break,
            }
        }
        assert_eq!(found, digests, "in pages of {size}");
    }
    let sweep = async || job::leases::tick(&t.core, t.core.meta.now()).await.unwrap();
    let swept = sweep().await;
    assert_eq!(swept, job::Swept::default());
    t.advance(Duration::from_mins(1));
    let swept = sweep().await;
    assert_eq!((swept.done, swept.more), (7, true));
    let swept = sweep().await;
    assert_eq!(swept, job::Swept::default());
}

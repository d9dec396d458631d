//! What others do while a policy runs. A run is stopped after every number of steps that it can have.

use longshore_registry::{
    job,
    op::lifecycle::{DeleteLifecyclePolicy, GetLifecyclePolicy},
};
use longshore_types::name::Reference;
use serde_json::json;

use super::{DAY, INTERVAL, age, count, left, put, start, tags};
use crate::harness::{TestCore, index, referrer};

/// More than any run of so few images takes.
const STEPS: usize = 9;

async fn step(t: &TestCore) -> bool {
    job::lifecycle::tick(&t.core, Some(t.core.meta.now()))
        .await
        .unwrap()
        .more
}

async fn steps(t: &TestCore, n_steps: usize) {
    for _ in 0..n_steps {
        step(t).await;
    }
}

async fn finish(t: &TestCore) {
    while step(t).await {}
}

#[tokio::test]
async fn an_image_that_is_tagged_meanwhile_stays() {
    let mut n_saved = 0;
    for n_steps in 0..=STEPS {
        let t = start().await;
        let manifest = t.manifest("app", "one").await;
        let digest = t.put("app", &manifest, Some("v1")).await;
        t.advance(DAY * 30);
        put(&t, &[age(1, &["v*"], 14)]).await;
        t.advance(INTERVAL);
        steps(&t, n_steps).await;
        let was_there = left(&t).await.contains(&digest);
        n_saved += usize::from(was_there);
        t.put("app", &manifest, Some("keep")).await;
        finish(&t).await;
        assert!(left(&t).await.contains(&digest), "after {n_steps} steps");
        let expected: &[&str] = if was_there {
            &["keep", "v1"]
        } else {
            &["keep"]
        };
        assert_eq!(tags(&t).await, expected, "after {n_steps} steps");
    }
    assert!(n_saved > 3 && n_saved < STEPS, "{n_saved}");
}

#[tokio::test]
async fn an_image_that_loses_the_tag_it_was_selected_by_is_not_taken_by_that_rule() {
    for n_steps in 0..=STEPS {
        let t = start().await;
        t.put("app", &t.manifest("app", "one").await, Some("v1"))
            .await;
        t.advance(DAY * 30);
        put(&t, &[age(1, &["v*"], 14)]).await;
        t.advance(INTERVAL);
        steps(&t, n_steps).await;
        let before = left(&t).await;
        // The tag moves to another image.
        let new = t.image("app", "two", Some("v1")).await;
        finish(&t).await;
        let mut expected = before;
        expected.insert(new);
        assert_eq!(left(&t).await, expected, "after {n_steps} steps");
    }
}

#[tokio::test]
async fn an_image_that_an_index_names_meanwhile_stays() {
    for n_steps in 0..=STEPS {
        let t = start().await;
        let manifest = t.manifest("app", "one").await;
        let digest = t.put("app", &manifest, Some("v1")).await;
        t.advance(DAY * 30);
        put(&t, &[age(1, &["v*"], 14)]).await;
        t.advance(INTERVAL);
        steps(&t, n_steps).await;
        if !left(&t).await.contains(&digest) {
            continue;
        }
        let outer = t.put("app", &index(&[&manifest]), None).await;
        finish(&t).await;
        assert_eq!(
            left(&t).await,
            super::set(&[&digest, &outer]),
            "after {n_steps} steps"
        );
    }
}

#[tokio::test]
async fn a_referrer_stays_with_a_subject_that_stays() {
    for n_steps in 0..=STEPS {
        let t = start().await;
        let manifest = t.manifest("app", "one").await;
        let subject = t.put("app", &manifest, Some("v1")).await;
        t.blob("app", b"signature").await;
        let signature = referrer(b"signature", &manifest, "application/x-signature");
        let signature = t.put("app", &signature.to_string(), None).await;
        t.advance(DAY * 30);
        put(&t, &[age(1, &["v*"], 14)]).await;
        t.advance(INTERVAL);
        steps(&t, n_steps).await;
        if !left(&t).await.contains(&subject) {
            continue;
        }
        t.put("app", &manifest, Some("keep")).await;
        finish(&t).await;
        assert_eq!(
            left(&t).await,
            super::set(&[&subject, &signature]),
            "after {n_steps} steps"
        );
    }
}

#[tokio::test]
async fn a_policy_that_is_replaced_or_deleted_stops_its_run() {
    for n_steps in 0..=STEPS {
        for delete in [true, false] {
            let t = start().await;
            for seed in ["one", "two", "three"] {
                t.image("app", seed, None).await;
            }
            t.advance(DAY * 30);
            put(&t, &[age(1, &["untagged"], 14)]).await;
            t.advance(INTERVAL);
            steps(&t, n_steps).await;
            let before = left(&t).await;
            let named = json!({"repositoryName": "app"});
            if delete {
                t.ok::<DeleteLifecyclePolicy>(named.clone()).await;
            } else {
                put(&t, &[age(1, &["untagged"], 365)]).await;
            }
            finish(&t).await;
            assert_eq!(left(&t).await, before, "after {n_steps} steps");
            if !delete {
                t.advance(INTERVAL);
                finish(&t).await;
                assert_eq!(left(&t).await, before);
                let got = t.ok::<GetLifecyclePolicy>(named).await;
                assert!(got["lastEvaluatedAt"].as_f64().unwrap() > 0.0);
            }
        }
    }
}

#[tokio::test]
async fn a_repository_that_is_deleted_meanwhile_ends_its_run() {
    for n_steps in 0..=STEPS {
        let t = start().await;
        for seed in ["one", "two", "three"] {
            t.image("app", seed, None).await;
        }
        t.advance(DAY * 30);
        put(&t, &[count(1, &["untagged"], 1)]).await;
        t.advance(INTERVAL);
        steps(&t, n_steps).await;
        t.delete_repository("app").await;
        t.repository("app").await;
        let kept = t.image("app", "one", None).await;
        t.sweep().await;
        assert_eq!(
            left(&t).await,
            super::set(&[&kept]),
            "after {n_steps} steps"
        );
    }
}

#[tokio::test]
async fn two_servers_take_the_same_steps_once() {
    let t = start().await;
    for idx in 0..60 {
        t.image("app", &format!("image {idx}"), None).await;
        t.advance(std::time::Duration::from_millis(1));
    }
    put(&t, &[count(1, &["untagged"], 7)]).await;
    t.advance(INTERVAL);
    let other = t.replica().await;
    loop {
        let (one, two) = tokio::join!(step(&t), step(&other));
        if !one && !two {
            break;
        }
    }
    assert_eq!(left(&t).await.len(), 7);
}

#[tokio::test]
async fn a_sparse_index_that_comes_first_keeps_its_image() {
    let t = start().await;
    let manifest = t.manifest("app", "one").await;
    let tag = Reference::Tag("bundle".parse().unwrap());
    t.push("app", &index(&[&manifest]), tag).await.unwrap();
    let digest = t.put("app", &manifest, None).await;
    t.advance(DAY * 30);
    put(&t, &[age(1, &["untagged"], 14)]).await;
    t.advance(INTERVAL);
    finish(&t).await;
    assert!(left(&t).await.contains(&digest));
}

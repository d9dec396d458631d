use std::time::Duration;

use longshore_registry::{
    job,
    oci::blob::HeadBlob,
    op::{
        image::DescribeImages,
        lifecycle::{DeleteLifecyclePolicy, GetLifecyclePolicy, PutLifecyclePolicy},
    },
};
use longshore_store::meta::{Durability, Tx};
use serde_json::json;

use super::{DAY, INTERVAL, age, count, left, put, run, set, start, tags};
use crate::harness::{TestCore, digest_of, index};

#[tokio::test]
async fn a_policy_runs_once_it_has_waited_and_then_again() {
    let t = start().await;
    t.image("app", "one", Some("v1")).await;
    t.advance(Duration::from_millis(5));
    t.image("app", "two", Some("v2")).await;
    put(&t, &[count(1, &["any"], 1)]).await;
    t.advance(INTERVAL / 2);
    t.sweep().await;
    assert_eq!(tags(&t).await, ["v1", "v2"]);
    // Replacing the policy does not put its run off.
    put(&t, &[count(1, &["v*"], 1)]).await;
    t.advance(INTERVAL / 2);
    t.sweep().await;
    assert_eq!(tags(&t).await, ["v2"]);
    let got = t
        .ok::<GetLifecyclePolicy>(json!({"repositoryName": "app"}))
        .await;
    assert_eq!(got["lastEvaluatedAt"], json!(1_700_000_060.128));
    t.image("app", "three", Some("v3")).await;
    t.sweep().await;
    assert_eq!(tags(&t).await, ["v2", "v3"]);
    t.advance(INTERVAL);
    t.sweep().await;
    assert_eq!(tags(&t).await, ["v3"]);
}

#[tokio::test]
async fn without_a_policy_nothing_goes() {
    let t = start().await;
    t.image("app", "one", None).await;
    put(&t, &[count(1, &["any"], 1)]).await;
    t.ok::<DeleteLifecyclePolicy>(json!({"repositoryName": "app"}))
        .await;
    t.image("app", "two", None).await;
    t.advance(DAY * 400);
    t.sweep().await;
    assert_eq!(left(&t).await.len(), 2);
}

#[tokio::test]
async fn an_expired_image_keeps_the_promises_of_its_blobs() {
    let t = start().await;
    t.image("app", "one", None).await;
    t.advance(DAY * 30);
    t.sweep().await;
    put(&t, &[age(1, &["untagged"], 14)]).await;
    run(&t).await;
    assert!(left(&t).await.is_empty());
    let is_there = || async {
        let head = HeadBlob {
            repository: t.at("app"),
            digest: digest_of(b"layer of one"),
        };
        t.run(head).await.is_ok()
    };
    t.advance(Duration::from_hours(11));
    t.sweep().await;
    assert!(is_there().await);
    t.advance(DAY);
    t.sweep().await;
    assert!(!is_there().await);
}

#[tokio::test]
async fn all_repositories_have_their_turn() {
    let t = start().await;
    let text = super::text(&[count(1, &["any"], 1)]);
    for repository in ["one", "two", "three"] {
        t.repository(repository).await;
        for seed in ["a", "b", "c"] {
            t.image(repository, seed, None).await;
            t.advance(Duration::from_millis(1));
        }
        let put = json!({"repositoryName": repository, "lifecyclePolicyText": text});
        t.ok::<longshore_registry::op::lifecycle::PutLifecyclePolicy>(put)
            .await;
    }
    run(&t).await;
    for repository in ["one", "two", "three"] {
        let images = t
            .ok::<DescribeImages>(json!({"repositoryName": repository}))
            .await;
        assert_eq!(
            images["imageDetails"].as_array().unwrap().len(),
            1,
            "{repository}"
        );
    }
}

#[tokio::test]
async fn what_an_index_names_goes_only_with_the_index() {
    let t = start().await;
    let (one, two) = (
        t.manifest("app", "one").await,
        t.manifest("app", "two").await,
    );
    let (one_digest, two_digest) = (
        t.put("app", &one, None).await,
        t.put("app", &two, None).await,
    );
    t.advance(DAY);
    let inner = index(&[&one, &two]);
    let inner_digest = t.put("app", &inner, None).await;
    t.advance(DAY);
    let outer = index(&[&inner]);
    let outer_digest = t.put("app", &outer, Some("v1")).await;
    t.advance(DAY * 30);
    let free = t.image("app", "free", None).await;
    t.advance(DAY * 30);
    put(&t, &[age(1, &["untagged"], 14)]).await;
    let all = [&one_digest, &two_digest, &inner_digest, &outer_digest];
    run(&t).await;
    // The tagged index keeps the other, and that one its images.
    assert_eq!(left(&t).await, set(&all));
    assert!(!left(&t).await.contains(&free));
    put(&t, &[age(1, &["untagged"], 14), age(2, &["v*"], 14)]).await;
    run(&t).await;
    assert!(left(&t).await.is_empty(), "all of it in one run");
}

#[tokio::test]
async fn an_index_that_is_older_than_its_images_still_goes_first() {
    let t = start().await;
    let one = t.manifest("app", "one").await;
    let one_digest = t.put("app", &one, Some("v1")).await;
    t.advance(DAY);
    let index_digest = t.put("app", &index(&[&one]), Some("v2")).await;
    t.advance(DAY);
    // A push of the image again makes it younger than what names it.
    t.put("app", &one, Some("v3")).await;
    t.advance(DAY * 30);
    put(&t, &[count(1, &["v1", "v3"], 1)]).await;
    run(&t).await;
    assert_eq!(left(&t).await, set(&[&one_digest, &index_digest]));
    put(&t, &[age(1, &["v1", "v3"], 14)]).await;
    run(&t).await;
    assert_eq!(left(&t).await, set(&[&one_digest, &index_digest]), "held");
    put(&t, &[age(1, &["v*"], 14)]).await;
    run(&t).await;
    assert!(left(&t).await.is_empty());
}

#[tokio::test]
async fn a_run_rests_while_the_clock_cannot_be_trusted() {
    let t = start().await;
    t.image("app", "one", None).await;
    put(&t, &[age(1, &["untagged"], 14)]).await;
    t.advance(DAY * 30);
    for _ in 0..20 {
        job::lifecycle::tick(&t.core, None).await.unwrap();
    }
    assert_eq!(left(&t).await.len(), 1);
    run(&t).await;
    assert!(left(&t).await.is_empty());
}

#[tokio::test]
async fn any_server_goes_on_where_another_has_stopped() {
    let t = due().await;
    let mut n_steps = 0;
    while step(&t.replica().await).await {
        n_steps += 1;
    }
    assert!(n_steps > 5, "{n_steps}");
    assert_eq!(left(&t).await.len(), 2);
}

/// Five images, of which a run that is due leaves two.
async fn due() -> TestCore {
    let t = start().await;
    for idx in 0..5 {
        t.image("app", &format!("image {idx}"), None).await;
        t.advance(Duration::from_millis(1));
    }
    put(&t, &[count(1, &["untagged"], 2)]).await;
    t.advance(INTERVAL);
    t
}

async fn step(t: &TestCore) -> bool {
    job::lifecycle::tick(&t.core, Some(t.core.meta.now()))
        .await
        .unwrap()
        .more
}

#[tokio::test]
async fn a_run_that_takes_hours_goes_on() {
    let t = due().await;
    let began = t.core.meta.now().as_millis();
    let mut ran = None;
    for _ in 0..20 {
        step(&t).await;
        let input = json!({"repositoryName": "app"});
        let got = t.ok::<GetLifecyclePolicy>(input).await;
        // One that has not run yet says the epoch.
        ran = got["lastEvaluatedAt"].as_f64().filter(|ran| *ran > 0.0);
        if ran.is_some() {
            break;
        }
        t.advance(Duration::from_mins(40));
    }
    assert!(t.core.meta.now().as_millis() > began + 3 * 60 * 60 * 1000 / 2);
    assert_eq!(left(&t).await.len(), 2);
    // It is as of when it began.
    let seconds = Duration::from_millis(began.cast_unsigned()).as_secs_f64();
    assert!(
        ran.is_some_and(|ran| (ran - seconds).abs() < 1.0),
        "{ran:?}"
    );
}

#[tokio::test]
async fn a_run_that_has_stopped_for_long_begins_anew() {
    let t = due().await;
    for _ in 0..2 {
        step(&t).await;
    }
    // Meanwhile what the rule has counted goes.
    for digest in left(&t).await.iter().take(3) {
        super::delete(&t, digest).await;
    }
    t.advance(Duration::from_hours(2));
    while step(&t).await {}
    assert_eq!(left(&t).await.len(), 2);
}

/// A run that is about to act, began so many hours ago and has acted for so many; returns how many images its next step leaves.
async fn left_by_the_next_step(hours: i64, acting: i64) -> usize {
    let t = due().await;
    let acts = "SELECT COUNT(*) FROM lifecycle_evaluation WHERE phase = 4";
    let acts = move |tx: &mut dyn Tx| tx.count(acts, &[]);
    while t.core.meta.query(acts).await.unwrap() == 0 {
        step(&t).await;
    }
    let earlier = move |tx: &mut dyn Tx| {
        let sql = "UPDATE lifecycle_evaluation SET as_of = as_of - CAST(?1 AS BIGINT), cursor_at = cursor_at - CAST(?2 AS BIGINT)";
        let hour = 3_600_000;
        tx.execute(sql, &[(hours * hour).into(), (acting * hour).into()])
    };
    let changed = t.core.meta.write(Durability::Soft, earlier).await;
    assert_eq!(changed.unwrap(), 1);
    step(&t).await;
    let now = left(&t).await.len();
    while step(&t).await {}
    assert_eq!(left(&t).await.len(), 2);
    now
}

#[tokio::test]
async fn a_run_may_look_at_images_for_days_and_act_for_one() {
    assert_eq!(left_by_the_next_step(100, 23).await, 2);
    // It begins anew.
    assert_eq!(left_by_the_next_step(100, 25).await, 5);
}

#[tokio::test]
async fn a_long_run_leaves_turns_to_others() {
    let t = due().await;
    t.repository("other").await;
    let rules = super::text(&[count(1, &["untagged"], 2)]);
    let policy = json!({"repositoryName": "other", "lifecyclePolicyText": rules});
    t.ok::<PutLifecyclePolicy>(policy).await;
    let has_run = async |name: &str| {
        let input = json!({"repositoryName": name});
        let got = t.ok::<GetLifecyclePolicy>(input).await;
        got["lastEvaluatedAt"].as_f64().unwrap() > 0.0
    };
    step(&t).await;
    while !has_run("other").await {
        assert!(!has_run("app").await);
        t.advance(Duration::from_mins(2));
        assert!(step(&t).await);
    }
    assert!(!has_run("app").await);
}

/// Policies in ten repositories, of which eight have runs under way that need more steps.
async fn with_runs() -> TestCore {
    let t = start().await;
    for idx in 0..10 {
        let name = format!("repository-{idx}");
        t.repository(&name).await;
        for seed in ["a", "b", "c"] {
            t.image(&name, seed, None).await;
            t.advance(Duration::from_millis(1));
        }
        let rules = super::text(&[count(1, &["untagged"], 1)]);
        let policy = json!({"repositoryName": name, "lifecyclePolicyText": rules});
        t.ok::<PutLifecyclePolicy>(policy).await;
    }
    t.advance(INTERVAL);
    for _ in 0..8 {
        step_later(&t).await;
    }
    t
}

/// Takes a step that lasts a while.
async fn step_later(t: &TestCore) -> bool {
    t.advance(Duration::from_millis(100));
    step(t).await
}

/// How many steps the runs under way have taken, in the order in which they began.
async fn steps_taken(t: &TestCore) -> Vec<i64> {
    let sql = "SELECT step FROM lifecycle_evaluation WHERE kind = 2 ORDER BY as_of, incarnation";
    let steps = move |tx: &mut dyn Tx| tx.rows(sql, &[]);
    t.core.meta.query(steps).await.unwrap()
}

#[tokio::test]
async fn runs_take_turns_step_by_step() {
    let t = with_runs().await;
    let before = steps_taken(&t).await;
    assert_eq!(before.len(), 8, "{before:?}");
    for _ in 0..8 {
        assert!(step_later(&t).await);
    }
    let one_more: Vec<i64> = before.iter().map(|taken| taken + 1).collect();
    assert_eq!(steps_taken(&t).await, one_more);
}

#[tokio::test]
async fn runs_of_dead_repositories_hold_up_none() {
    let t = with_runs().await;
    for idx in 0..8 {
        t.delete_repository(&format!("repository-{idx}")).await;
    }
    assert_eq!(steps_taken(&t).await.len(), 8);
    while step_later(&t).await {}
    for idx in 8..10 {
        let input = json!({"repositoryName": format!("repository-{idx}")});
        let got = t.ok::<GetLifecyclePolicy>(input).await;
        assert!(got["lastEvaluatedAt"].as_f64().unwrap() > 0.0, "{idx}");
    }
}

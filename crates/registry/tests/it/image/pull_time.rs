//! When images were last pulled.

use std::time::Duration;

use longshore_registry::{
    job,
    oci::manifest::{Accept, PullManifest},
    op::{
        image::{BatchDeleteImage, BatchGetImage, DescribeImages},
        registry::{DeregisterPullTimeUpdateExclusion, RegisterPullTimeUpdateExclusion},
    },
    principal::Caller,
    session::SessionKind,
};
use longshore_types::name::{ImageTag, Reference};
use serde_json::{Value, json};

use crate::{
    authz::people::{People, allow},
    harness::{ACCOUNT, TestCore, index},
};

/// Longer than a pull waits to be written.
const WRITTEN: Duration = Duration::from_secs(11);

fn tag(text: &str) -> Reference {
    Reference::Tag(text.parse::<ImageTag>().unwrap())
}

fn pull(t: &TestCore, reference: Reference, whole: bool) -> PullManifest {
    PullManifest {
        repository: t.at("app"),
        reference,
        accept: Accept::anything(),
        whole,
    }
}

async fn get(t: &TestCore, reference: Reference) {
    t.run(pull(t, reference, true)).await.unwrap();
}

/// When an image was last pulled; asked for in a page and by name.
async fn pulled(t: &TestCore, image: &str) -> Value {
    let page = t
        .ok::<DescribeImages>(json!({"repositoryName": "app"}))
        .await;
    let of = |details: &Value| {
        let details = details["imageDetails"].as_array().unwrap().clone();
        let found = details
            .into_iter()
            .find(|detail| detail["imageDigest"] == image);
        found.unwrap()["lastRecordedPullTime"].clone()
    };
    let input = json!({"repositoryName": "app", "imageIds": [{"imageDigest": image}]});
    let named = t.ok::<DescribeImages>(input).await;
    assert_eq!(of(&page), of(&named));
    of(&page)
}

fn now(t: &TestCore) -> Value {
    json!(t.core.meta.now().as_epoch_seconds())
}

async fn rows(t: &TestCore) -> i64 {
    let count = t
        .core
        .meta
        .query(|tx| tx.count("SELECT COUNT(*) FROM image_pull", &[]));
    count.await.unwrap()
}

fn statements(t: &TestCore) -> u64 {
    t.core.meta.counters().statements
}

#[tokio::test]
async fn a_pull_is_recorded_a_little_later_with_its_own_time() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let image = t.image("app", "one", Some("v1")).await;
    assert_eq!(pulled(&t, &image).await, Value::Null);
    get(&t, tag("v1")).await;
    let first = now(&t);
    t.sweep().await;
    assert_eq!(pulled(&t, &image).await, Value::Null);
    t.advance(WRITTEN);
    t.sweep().await;
    assert_eq!(pulled(&t, &image).await, first);
    t.advance(WRITTEN);
    get(&t, Reference::Digest(image.parse().unwrap())).await;
    let second = now(&t);
    t.advance(WRITTEN);
    t.sweep().await;
    assert_eq!(pulled(&t, &image).await, second);
    assert_ne!(first, second);
}

#[tokio::test]
async fn many_pulls_are_one_write_and_none_of_them_is_a_statement_more() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.image("app", "one", Some("v1")).await;
    get(&t, tag("v1")).await;
    let before = statements(&t);
    for _ in 0..100 {
        get(&t, tag("v1")).await;
    }
    assert_eq!(statements(&t) - before, 100);
    t.advance(WRITTEN);
    let before = statements(&t);
    job::pulls::tick(&t.core).await.unwrap();
    // The other asks whether the repository is being copied.
    assert_eq!(statements(&t) - before, 2);
    let again = job::pulls::tick(&t.core).await.unwrap();
    assert_eq!(again, job::Swept::default());
}

#[tokio::test]
async fn a_look_and_a_failed_pull_are_no_pulls() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let image = t.image("app", "one", Some("v1")).await;
    t.run(pull(&t, tag("v1"), false)).await.unwrap();
    assert!(t.run(pull(&t, tag("v2"), true)).await.is_err());
    let ids = json!([{"imageTag": "v1"}]);
    let types = json!(["application/vnd.oci.image.index.v1+json"]);
    let input = json!({"repositoryName": "app", "imageIds": ids, "acceptedMediaTypes": types});
    let got = t.ok::<BatchGetImage>(input).await;
    assert_eq!(got["images"], json!([]));
    job::finish(&t.core).await.unwrap();
    assert_eq!(pulled(&t, &image).await, Value::Null);
}

#[tokio::test]
async fn the_api_pulls_too_and_a_server_that_stops_writes_what_waits() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let one = t.image("app", "one", Some("v1")).await;
    let two = t.image("app", "two", None).await;
    let other = t.image("app", "other", None).await;
    let ids = json!([{"imageTag": "v1"}, {"imageDigest": two}, {"imageTag": "v2"}]);
    t.ok::<BatchGetImage>(json!({"repositoryName": "app", "imageIds": ids}))
        .await;
    job::finish(&t.core).await.unwrap();
    assert_eq!(pulled(&t, &one).await, now(&t));
    assert_eq!(pulled(&t, &two).await, now(&t));
    assert_eq!(pulled(&t, &other).await, Value::Null);
}

#[tokio::test]
async fn an_index_and_its_children_are_recorded_each_by_its_own_pull() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let (arm, amd) = (
        t.manifest("app", "arm").await,
        t.manifest("app", "amd").await,
    );
    let (arm, amd, of_both) = (
        t.put("app", &arm, None).await,
        t.put("app", &amd, None).await,
        t.put("app", &index(&[&arm, &amd]), Some("v1")).await,
    );
    get(&t, tag("v1")).await;
    get(&t, Reference::Digest(amd.parse().unwrap())).await;
    job::finish(&t.core).await.unwrap();
    assert_eq!(pulled(&t, &of_both).await, now(&t));
    assert_eq!(pulled(&t, &amd).await, now(&t));
    assert_eq!(pulled(&t, &arm).await, Value::Null);
}

#[tokio::test]
async fn an_earlier_pull_that_is_written_later_is_passed_over() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let image = t.image("app", "one", Some("v1")).await;
    let replica = t.replica().await;
    get(&t, tag("v1")).await;
    t.advance(WRITTEN);
    get(&replica, tag("v1")).await;
    let last = now(&t);
    for one in [&replica, &t] {
        job::finish(&one.core).await.unwrap();
    }
    assert_eq!(pulled(&t, &image).await, last);
}

#[tokio::test]
async fn what_is_recorded_goes_with_the_image_and_with_the_repository() {
    let t = TestCore::start().await;
    t.repository("app").await;
    for seed in ["one", "two", "three"] {
        t.image("app", seed, Some(seed)).await;
        get(&t, tag(seed)).await;
    }
    job::finish(&t.core).await.unwrap();
    assert_eq!(rows(&t).await, 3);
    let ids = json!([{"imageTag": "one"}]);
    let deleted = t
        .ok::<BatchDeleteImage>(json!({"repositoryName": "app", "imageIds": ids}))
        .await;
    assert_eq!(deleted["failures"], json!([]));
    assert_eq!(rows(&t).await, 2);
    // What is pulled in the last moment finds nothing to be written to.
    get(&t, tag("two")).await;
    t.delete_repository("app").await;
    t.sweep().await;
    assert_eq!(rows(&t).await, 0);
    job::finish(&t.core).await.unwrap();
    assert_eq!(rows(&t).await, 0);
}

#[tokio::test]
async fn more_pulls_than_one_transaction_takes_are_all_written() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await;
    for idx in 0..301 {
        let mut manifest: Value = serde_json::from_str(&manifest).unwrap();
        manifest["annotations"] = json!({"number": idx.to_string()});
        let image = t.put("app", &manifest.to_string(), None).await;
        get(&t, Reference::Digest(image.parse().unwrap())).await;
    }
    t.advance(WRITTEN);
    assert!(job::pulls::tick(&t.core).await.unwrap().more);
    assert_eq!(rows(&t).await, 300);
    t.sweep().await;
    assert_eq!(rows(&t).await, 301);
}

/// Pulls over `/v2` and by the API, and tells whether that was recorded.
async fn is_recorded(t: &TestCore, caller: &Caller, image: &str) -> bool {
    t.advance(WRITTEN);
    let by_tag = pull(t, tag("v1"), true);
    t.run_as(caller.clone(), by_tag).await.unwrap();
    job::finish(&t.core).await.unwrap();
    let over_v2 = pulled(t, image).await == now(t);
    t.advance(WRITTEN);
    let input = json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}]});
    let got = t.call_as::<BatchGetImage>(caller.clone(), input).await;
    assert_eq!(got.unwrap()["failures"], json!([]));
    job::finish(&t.core).await.unwrap();
    assert_eq!(pulled(t, image).await == now(t), over_v2);
    over_v2
}

#[tokio::test]
async fn pulls_of_whoever_is_excluded_are_not_recorded() {
    let t = TestCore::start().await;
    let people = People(&t);
    t.repository("app").await;
    let image = t.image("app", "one", Some("v1")).await;
    let (role, other) = (
        people.role(ACCOUNT, "scanner").await,
        people.role(ACCOUNT, "node").await,
    );
    let user = people.user(ACCOUNT, "scanner").await;
    for id in [&role, &other, &user] {
        people.inline(ACCOUNT, id, "p", &allow("ecr:*")).await;
    }
    let callers = async |t: &TestCore| {
        let people = People(t);
        [
            people.session(&role, SessionKind::AssumedRole, None).await,
            people.session(&user, SessionKind::SessionToken, None).await,
            people.caller(&user).await,
            people.session(&other, SessionKind::AssumedRole, None).await,
            t.caller.clone(),
        ]
    };
    let recorded = async |t: &TestCore| {
        let mut recorded = Vec::new();
        for caller in callers(t).await {
            recorded.push(is_recorded(t, &caller, &image).await);
        }
        recorded
    };
    let replica = t.replica().await;
    assert_eq!(recorded(&t).await, [true; 5]);
    assert_eq!(recorded(&replica).await, [true; 5]);
    let excluded =
        |sort: &str| json!({"principalArn": format!("arn:aws:iam::{ACCOUNT}:{sort}/scanner")});
    t.ok::<RegisterPullTimeUpdateExclusion>(excluded("role"))
        .await;
    // It acts on the next request, here and on a server that has remembered who counts.
    for one in [&t, &replica] {
        assert_eq!(recorded(one).await, [false, true, true, true, true]);
    }
    t.ok::<RegisterPullTimeUpdateExclusion>(excluded("user"))
        .await;
    for one in [&t, &replica] {
        assert_eq!(recorded(one).await, [false, false, false, true, true]);
    }
    t.ok::<DeregisterPullTimeUpdateExclusion>(excluded("role"))
        .await;
    for one in [&t, &replica] {
        assert_eq!(recorded(one).await, [true, false, false, true, true]);
    }
}

#[tokio::test]
async fn an_exclusion_is_of_one_region_and_of_the_registry_that_is_pulled_from() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let image = t.image("app", "one", Some("v1")).await;
    let alice = People(&t).user(ACCOUNT, "alice").await;
    People(&t)
        .inline(ACCOUNT, &alice, "p", &allow("ecr:*"))
        .await;
    let caller = People(&t).caller(&alice).await;
    let meta = &t.core.meta;
    meta.write(longshore_store::meta::Durability::Soft, |tx| {
        let sql = "INSERT INTO pull_time_exclusion (account, region, principal, created_at) \
                   VALUES ('123456789012', 'us-east-1', 'arn:aws:iam::123456789012:user/alice', 0)";
        tx.execute(sql, &[])
    })
    .await
    .unwrap();
    assert!(is_recorded(&t, &caller, &image).await);
}

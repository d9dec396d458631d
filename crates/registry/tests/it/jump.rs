//! The clock may jump at any moment, also between the question whether anything may be collected and what is collected then.

use std::time::Duration;

use longshore_registry::{
    extension::{LeaseImages, RestoreExpiredImages},
    job,
    op::{
        image::DescribeImages,
        lifecycle::{DeleteLifecyclePolicy, PutLifecyclePolicy},
    },
};
use longshore_store::meta::Tx;
use longshore_testbed::postgres;
use serde_json::json;

use crate::{
    harness::TestCore,
    lifecycle::{INTERVAL, age, text},
};

const HOUR: Duration = Duration::from_hours(1);
/// Longer than every promise.
const JUMP: Duration = Duration::from_hours(50);

/// One whose last image can be brought back for a day.
async fn with_an_expired_image() -> (TestCore, String) {
    let t = TestCore::with(|settings| settings.lifecycle_interval = INTERVAL).await;
    t.repository("app").await;
    t.repository("used").await;
    t.image("used", "leased", Some("v1")).await;
    let image = t.image("app", "expired", Some("old")).await;
    let mut policy: serde_json::Value =
        serde_json::from_str(&text(&[age(1, &["any"], 1)])).unwrap();
    policy["x-longshore-undoHours"] = json!(24);
    t.ok::<PutLifecyclePolicy>(
        json!({"repositoryName": "app", "lifecyclePolicyText": policy.to_string()}),
    )
    .await;
    t.advance(25 * HOUR);
    t.sweep().await;
    t.ok::<DeleteLifecyclePolicy>(json!({"repositoryName": "app"}))
        .await;
    (t, image)
}

/// Lets a run come to where it is about to remove an image, and leases that for a day.
async fn lease_what_is_to_go(t: &TestCore) {
    let policy = text(&[age(1, &["any"], 1)]);
    t.ok::<PutLifecyclePolicy>(json!({"repositoryName": "used", "lifecyclePolicyText": policy}))
        .await;
    t.advance(INTERVAL);
    let acts = "SELECT COUNT(*) FROM lifecycle_evaluation WHERE phase = 4";
    let acts = move |tx: &mut dyn Tx| tx.count(acts, &[]);
    while t.core.meta.query(acts).await.unwrap() == 0 {
        let now = t.core.meta.now();
        job::lifecycle::tick(&t.core, Some(now)).await.unwrap();
    }
    let ids = json!([{"imageTag": "v1"}]);
    t.ok::<LeaseImages>(
        json!({"repositoryName": "used", "imageIds": ids, "durationSeconds": 86_400}),
    )
    .await;
}

#[tokio::test]
async fn a_clock_that_jumps_while_it_is_swept_ends_no_promise() {
    // Each time has a database of its own, which takes longer than a file: fewer of the moments.
    let stride = if postgres::is_chosen() { 5 } else { 1 };
    for looks in (0..).step_by(stride) {
        let (t, expired) = with_an_expired_image().await;
        let upload = t.start_upload("app").await;
        t.append("app", upload, vec![1; 100_000]).await.unwrap();
        let promised = t.manifest("app", "promised").await;
        t.advance(HOUR);
        lease_what_is_to_go(&t).await;
        t.jump_after(looks, JUMP);
        t.sweep().await;
        if !t.has_jumped() {
            assert!(looks > 10, "{looks}");
            return;
        }
        // What has been told to be there can be used, though its time seems to be over.
        t.put("app", &promised, Some("new")).await;
        t.append("app", upload, vec![3; 100_000])
            .await
            .unwrap_or_else(|error| panic!("an upload ended at look {looks}: {error}"));
        let ids = json!([{"imageDigest": expired}]);
        t.ok::<RestoreExpiredImages>(json!({"repositoryName": "app", "imageIds": ids}))
            .await;
        let left = t
            .ok::<DescribeImages>(json!({"repositoryName": "used"}))
            .await;
        let left = left["imageDetails"].as_array().unwrap().len();
        assert_eq!(left, 1, "a leased image went at look {looks}");
    }
}

//! Lifecycle policies, from their texts to what their runs remove.

use std::{collections::BTreeSet, time::Duration};

use longshore_registry::{
    job,
    op::{
        image::{BatchDeleteImage, DescribeImages, ListImages},
        lifecycle::{GetLifecyclePolicyPreview, PutLifecyclePolicy, StartLifecyclePolicyPreview},
    },
};
use serde_json::{Value, json};

use crate::harness::{TestCore, texts};

mod actions;
mod concurrency;
mod follow;
mod lease;
mod policy;
mod preview;
mod property;
mod run;
mod scale;
mod undo;

pub(crate) const DAY: Duration = Duration::from_hours(24);
/// How long policies wait in these tests.
pub(crate) const INTERVAL: Duration = Duration::from_mins(1);

/// A product with the repository `app`.
pub(crate) async fn start() -> TestCore {
    let t = TestCore::with(|settings| settings.lifecycle_interval = INTERVAL).await;
    t.repository("app").await;
    t
}

pub(crate) fn rule(priority: u32, selection: &Value) -> Value {
    json!({"rulePriority": priority, "selection": selection, "action": {"type": "expire"}})
}

pub(crate) fn count(priority: u32, patterns: &[&str], number: u32) -> Value {
    let mut selection = json!({"countType": "imageCountMoreThan", "countNumber": number});
    select(&mut selection, patterns);
    rule(priority, &selection)
}

pub(crate) fn age(priority: u32, patterns: &[&str], days: u32) -> Value {
    let mut selection =
        json!({"countType": "sinceImagePushed", "countUnit": "days", "countNumber": days});
    select(&mut selection, patterns);
    rule(priority, &selection)
}

fn select(selection: &mut Value, patterns: &[&str]) {
    match patterns {
        ["any" | "untagged"] => selection["tagStatus"] = json!(patterns[0]),
        patterns => {
            selection["tagStatus"] = json!("tagged");
            selection["tagPatternList"] = json!(patterns);
        }
    }
}

pub(crate) fn text(rules: &[Value]) -> String {
    json!({ "rules": rules }).to_string()
}

pub(crate) async fn put(t: &TestCore, rules: &[Value]) {
    t.ok::<PutLifecyclePolicy>(
        json!({"repositoryName": "app", "lifecyclePolicyText": text(rules)}),
    )
    .await;
}

/// Takes steps of previews until none is under way, and none of runs.
pub(crate) async fn make_previews(t: &TestCore) {
    while job::lifecycle::tick(&t.core, None).await.unwrap().more {}
}

/// Lets the policies be due and their runs end.
pub(crate) async fn run(t: &TestCore) {
    t.advance(INTERVAL);
    while job::lifecycle::tick(&t.core, Some(t.core.meta.now()))
        .await
        .unwrap()
        .more
    {}
}

/// Makes a preview and returns it, with up to 100 results.
pub(crate) async fn preview(t: &TestCore, rules: &[Value]) -> Value {
    let input = json!({"repositoryName": "app", "lifecyclePolicyText": text(rules)});
    t.ok::<StartLifecyclePolicyPreview>(input).await;
    make_previews(t).await;
    t.ok::<GetLifecyclePolicyPreview>(json!({"repositoryName": "app"}))
        .await
}

/// The digests of the images that are there.
pub(crate) async fn left(t: &TestCore) -> BTreeSet<String> {
    let mut left = BTreeSet::new();
    let mut input = json!({"repositoryName": "app", "maxResults": 1000});
    loop {
        let page = t.ok::<DescribeImages>(input.clone()).await;
        left.extend(texts(&page["imageDetails"], "imageDigest"));
        match page.get("nextToken") {
            Some(token) => input["nextToken"] = token.clone(),
            None => return left,
        }
    }
}

/// The tags that are there, in order.
pub(crate) async fn tags(t: &TestCore) -> Vec<String> {
    let input = json!({"repositoryName": "app", "filter": {"tagStatus": "TAGGED"}});
    let mut tags = texts(&t.ok::<ListImages>(input).await["imageIds"], "imageTag");
    tags.sort();
    tags
}

pub(crate) async fn delete(t: &TestCore, digest: &str) {
    let input = json!({"repositoryName": "app", "imageIds": [{"imageDigest": digest}]});
    let deleted = t.ok::<BatchDeleteImage>(input).await;
    assert_eq!(deleted["failures"], json!([]));
}

pub(crate) fn set(digests: &[&String]) -> BTreeSet<String> {
    digests.iter().map(|digest| (*digest).clone()).collect()
}

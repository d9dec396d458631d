use longshore_registry::op::resource::{ListTagsForResource, TagResource, UntagResource};
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, OTHER, TestCore};

fn arn(name: &str) -> String {
    format!("arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/{name}")
}

fn tag(key: &str, value: &str) -> Value {
    json!({"Key": key, "Value": value})
}

#[tokio::test]
async fn tags_are_added_replaced_and_removed() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let list = || t.ok::<ListTagsForResource>(json!({"resourceArn": arn("app")}));
    assert_eq!(list().await, json!({"tags": []}));
    let tags = json!([tag("b", "1"), tag("a", "1")]);
    let done = t
        .ok::<TagResource>(json!({"resourceArn": arn("app"), "tags": tags}))
        .await;
    assert_eq!(done, json!({}));
    let tags = json!([tag("b", ""), tag("c", "3")]);
    t.ok::<TagResource>(json!({"resourceArn": arn("app"), "tags": tags}))
        .await;
    assert_eq!(
        list().await,
        json!({"tags": [tag("a", "1"), tag("b", ""), tag("c", "3")]})
    );
    let done = t
        .ok::<UntagResource>(json!({"resourceArn": arn("app"), "tagKeys": ["c", "a", "none"]}))
        .await;
    assert_eq!(done, json!({}));
    assert_eq!(list().await, json!({"tags": [tag("b", "")]}));
    for keys in [json!([]), json!(["b"])] {
        t.ok::<UntagResource>(json!({"resourceArn": arn("app"), "tagKeys": keys}))
            .await;
    }
    assert_eq!(list().await, json!({"tags": []}));
}

#[tokio::test]
async fn a_repository_has_at_most_fifty_tags_and_one_too_many_changes_nothing() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let tags = |range: std::ops::Range<u32>, value: &str| {
        let tags: Vec<Value> = range.map(|idx| tag(&format!("k{idx:02}"), value)).collect();
        json!({"resourceArn": arn("app"), "tags": tags})
    };
    t.ok::<TagResource>(tags(0..50, "old")).await;
    t.ok::<TagResource>(tags(0..1, "new")).await;
    assert_eq!(
        t.refused::<TagResource>(tags(49..51, "new")).await,
        (
            "TooManyTags".to_owned(),
            "The repository with name 'app' cannot have more than 50 tags".to_owned()
        )
    );
    let listed = t
        .ok::<ListTagsForResource>(json!({"resourceArn": arn("app")}))
        .await;
    assert_eq!(listed["tags"].as_array().unwrap().len(), 50);
    assert_eq!(listed["tags"][49], tag("k49", "old"));
}

#[tokio::test]
async fn bad_arns_keys_and_absent_members_are_refused() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let invalid = "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'";
    for text in ["app", "arn:aws:ecr-public::123456789012:repository/app"] {
        let input = json!({"resourceArn": text, "tags": [], "tagKeys": []});
        assert_eq!(
            t.refused::<ListTagsForResource>(input.clone()).await.1,
            invalid
        );
        assert_eq!(t.refused::<TagResource>(input.clone()).await.1, invalid);
        assert_eq!(t.refused::<UntagResource>(input).await.1, invalid);
    }
    for (input, name) in [
        (json!({}), "InvalidParameter"),
        (json!({"resourceArn": arn("app")}), "InvalidParameter"),
        (
            json!({"resourceArn": arn("app"), "tags": [tag("aws:x", "")]}),
            "InvalidTagParameter",
        ),
        (
            json!({"resourceArn": arn("app"), "tags": [{"Key": "a", "Value": null}]}),
            "InvalidParameter",
        ),
        (
            json!({"resourceArn": arn("no"), "tags": [tag("a", "")]}),
            "RepositoryNotFound",
        ),
    ] {
        assert_eq!(
            t.refused::<TagResource>(input.clone()).await.0,
            name,
            "{input}"
        );
    }
    for (input, name) in [
        (json!({"resourceArn": arn("app")}), "InvalidParameter"),
        (
            json!({"resourceArn": arn("app"), "tagKeys": ["a\0"]}),
            "InvalidTagParameter",
        ),
        (
            json!({"resourceArn": arn("app"), "tagKeys": vec!["a"; 51]}),
            "TooManyTags",
        ),
        (
            json!({"resourceArn": arn("no"), "tagKeys": ["a"]}),
            "RepositoryNotFound",
        ),
    ] {
        assert_eq!(
            t.refused::<UntagResource>(input.clone()).await.0,
            name,
            "{input}"
        );
    }
}

#[tokio::test]
async fn an_arn_names_its_own_registry() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let elsewhere = format!("arn:aws:ecr:eu-central-1:{OTHER}:repository/app");
    let (name, _) = t
        .refused::<ListTagsForResource>(json!({"resourceArn": elsewhere}))
        .await;
    assert_eq!(name, "AccessDenied");
    let other_region = format!("arn:aws:ecr:us-west-2:{ACCOUNT}:repository/app");
    let (name, _) = t
        .refused::<ListTagsForResource>(json!({"resourceArn": other_region}))
        .await;
    assert_eq!(name, "RepositoryNotFound");
}

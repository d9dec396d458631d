use longshore_registry::op::{
    image::BatchDeleteImage,
    lifecycle::{GetLifecyclePolicyPreview, StartLifecyclePolicyPreview},
};
use longshore_store::meta::Durability;
use serde_json::{Value, json};

use super::{DAY, age, count, left, make_previews, preview, put, start, text};
use crate::harness::{ACCOUNT, TestCore, digest_of, texts};

async fn get(t: &TestCore, members: &Value) -> Value {
    let mut input = json!({"repositoryName": "app"});
    for (name, value) in members.as_object().unwrap() {
        input[name] = value.clone();
    }
    t.ok::<GetLifecyclePolicyPreview>(input).await
}

#[tokio::test]
async fn a_preview_is_under_way_then_complete_and_removes_nothing() {
    let t = start().await;
    let old = t.image("app", "old", Some("v1")).await;
    t.advance(DAY);
    let new = t.image("app", "new", None).await;
    let text = text(&[count(1, &["any"], 1)]);
    let input = json!({"repositoryName": "app", "lifecyclePolicyText": text});
    let mut expected = json!({
        "registryId": ACCOUNT,
        "repositoryName": "app",
        "lifecyclePolicyText": text,
        "status": "IN_PROGRESS",
    });
    let started = t.ok::<StartLifecyclePolicyPreview>(input.clone()).await;
    assert_eq!(started, expected);
    expected["previewResults"] = json!([]);
    assert_eq!(get(&t, &json!({})).await, expected);
    assert_eq!(
        t.refused::<StartLifecyclePolicyPreview>(input).await,
        (
            "LifecyclePolicyPreviewInProgress".to_owned(),
            format!(
                "Lifecycle policy preview is already in progress for the repository with name 'app' in the registry with id '{ACCOUNT}'"
            )
        )
    );
    make_previews(&t).await;
    expected["status"] = json!("COMPLETE");
    expected["summary"] = json!({"expiringImageTotalCount": 1});
    expected["previewResults"] = json!([{
        "imageTags": ["v1"],
        "imageDigest": old,
        "imagePushedAt": 1_700_000_000.123,
        "action": {"type": "EXPIRE"},
        "appliedRulePriority": 1,
        "storageClass": "STANDARD",
    }]);
    assert_eq!(get(&t, &json!({})).await, expected);
    assert_eq!(left(&t).await, super::set(&[&old, &new]));
}

#[tokio::test]
async fn without_a_text_the_policy_of_the_repository_is_previewed() {
    let t = start().await;
    let named = json!({"repositoryName": "app"});
    let refused = t.refused::<GetLifecyclePolicyPreview>(named.clone()).await;
    assert_eq!(
        refused,
        (
            "LifecyclePolicyPreviewNotFound".to_owned(),
            format!(
                "Lifecycle policy preview does not exist for the repository with name 'app' in the registry with id '{ACCOUNT}'"
            )
        )
    );
    let rules = [count(5, &["v*"], 9)];
    put(&t, &rules).await;
    let started = t.ok::<StartLifecyclePolicyPreview>(named).await;
    assert_eq!(started["lifecyclePolicyText"], json!(text(&rules)));
    make_previews(&t).await;
    assert_eq!(
        get(&t, &json!({})).await["summary"],
        json!({"expiringImageTotalCount": 0})
    );
}

/// Seven images of which all but the newest, tagged, go; every other one is tagged.
async fn seven(t: &TestCore) -> Vec<String> {
    let mut digests = Vec::new();
    for idx in 0..7 {
        let tag = format!("v{idx}");
        let tag = (idx % 2 == 0).then_some(tag.as_str());
        digests.push(t.image("app", &format!("image {idx}"), tag).await);
        t.advance(DAY);
    }
    preview(t, &[count(1, &["any"], 1)]).await;
    digests.pop();
    digests.reverse();
    digests
}

#[tokio::test]
async fn pages_join_to_the_whole_newest_first() {
    let t = start().await;
    let digests = seven(&t).await;
    for size in 1..8 {
        let (mut found, mut input) = (Vec::new(), json!({"maxResults": size}));
        loop {
            let page = get(&t, &input).await;
            assert_eq!(page["summary"], json!({"expiringImageTotalCount": 6}));
            let results = texts(&page["previewResults"], "imageDigest");
            assert!(results.len() <= size);
            found.extend(results);
            match page.get("nextToken") {
                Some(token) => input["nextToken"] = token.clone(),
                None => break,
            }
        }
        assert_eq!(found, digests, "in pages of {size}");
    }
}

#[tokio::test]
async fn the_filter_passes_images_by_whether_they_had_tags() {
    let t = start().await;
    let digests = seven(&t).await;
    for (status, expected) in [
        ("TAGGED", vec![&digests[1], &digests[3], &digests[5]]),
        ("UNTAGGED", vec![&digests[0], &digests[2], &digests[4]]),
        ("ANY", digests.iter().collect()),
    ] {
        let filter = json!({"filter": {"tagStatus": status}});
        let page = get(&t, &filter).await;
        let found = texts(&page["previewResults"], "imageDigest");
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{status}");
        let mut named = filter;
        named["imageIds"] = json!([{"imageDigest": digests[0]}, {"imageTag": "v0"}]);
        let both = texts(&get(&t, &named).await["previewResults"], "imageDigest");
        let wanted = |digest: &&&String| [&digests[0], &digests[5]].contains(*digest);
        assert_eq!(
            both.len(),
            expected.iter().filter(wanted).count(),
            "{status}"
        );
    }
}

#[tokio::test]
async fn named_images_are_told_of_if_they_would_go() {
    let t = start().await;
    let digests = seven(&t).await;
    let ids = json!([
        {"imageTag": "v0"},
        {"imageDigest": digests[5]},
        {"imageDigest": digests[0]},
        {"imageTag": "v6"},
        {"imageTag": "absent"},
        {"imageDigest": digest_of(b"absent").to_string()},
    ]);
    let page = get(&t, &json!({"imageIds": ids})).await;
    let mut found = texts(&page["previewResults"], "imageDigest");
    found.sort();
    let mut expected = vec![digests[0].clone(), digests[5].clone()];
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(page["summary"], json!({"expiringImageTotalCount": 6}));
    for (members, complaint) in [
        (json!({"imageIds": []}), "'imageIds'"),
        (json!({"imageIds": [{}]}), "'imageIds'"),
        (
            json!({"imageIds": [{"imageTag": "v0"}], "maxResults": 5}),
            "'maxResults'",
        ),
        (
            json!({"imageIds": vec![json!({"imageTag": "v0"}); 101]}),
            "'imageIds'",
        ),
        (json!({"maxResults": 101}), "'maxResults'"),
        (
            json!({"filter": {"tagStatus": "SOME"}}),
            "'filter.tagStatus'",
        ),
        (json!({"nextToken": "nonsense"}), "'nextToken'"),
    ] {
        let mut input = members;
        input["repositoryName"] = json!("app");
        let (name, text) = t.refused::<GetLifecyclePolicyPreview>(input).await;
        assert_eq!(name, "InvalidParameter", "{text}");
        assert!(text.contains(complaint), "{text}");
    }
}

#[tokio::test]
async fn a_token_continues_its_own_preview_only() {
    let t = start().await;
    seven(&t).await;
    let token = get(&t, &json!({"maxResults": 2})).await["nextToken"].take();
    assert!(token.is_string());
    preview(&t, &[count(1, &["any"], 1)]).await;
    let input = json!({"repositoryName": "app", "nextToken": token});
    let (_, text) = t.refused::<GetLifecyclePolicyPreview>(input).await;
    assert!(text.contains("nextToken"), "{text}");
}

#[tokio::test]
async fn a_preview_shows_what_was_there_and_expires_after_a_day() {
    let t = start().await;
    let digest = t.image("app", "one", Some("v1")).await;
    t.advance(DAY * 3);
    let rules = [age(3, &["v*"], 2)];
    let shown = preview(&t, &rules).await;
    assert_eq!(
        texts(&shown["previewResults"], "imageDigest"),
        [digest.as_str()]
    );
    // What happens to the image afterwards is no matter of the preview.
    let delete = json!({"repositoryName": "app", "imageIds": [{"imageDigest": digest}]});
    t.ok::<BatchDeleteImage>(delete).await;
    assert_eq!(get(&t, &json!({})).await, shown);
    t.advance(DAY);
    make_previews(&t).await;
    let expired = get(&t, &json!({})).await;
    assert_eq!(
        (
            &expired["status"],
            &expired["previewResults"],
            expired.get("summary")
        ),
        (&json!("EXPIRED"), &json!([]), None)
    );
    assert_eq!(preview(&t, &rules).await["status"], "COMPLETE");
}

#[tokio::test]
async fn a_preview_that_cannot_be_made_has_failed_and_holds_up_nothing() {
    let t = start().await;
    t.repository("other").await;
    let text = text(&[count(1, &["any"], 1)]);
    for repository in ["app", "other"] {
        let input = json!({"repositoryName": repository, "lifecyclePolicyText": text});
        t.ok::<StartLifecyclePolicyPreview>(input).await;
    }
    t.core
        .meta
        .write(Durability::Soft, |tx| {
            tx.execute(
                "UPDATE lifecycle_evaluation SET policy = 'rot' WHERE incarnation = \
                 (SELECT incarnation FROM repository WHERE name = 'app')",
                &[],
            )
        })
        .await
        .unwrap();
    make_previews(&t).await;
    for (repository, status) in [("app", "FAILED"), ("other", "COMPLETE")] {
        let input = json!({"repositoryName": repository});
        let preview = t.ok::<GetLifecyclePolicyPreview>(input).await;
        assert_eq!(preview["status"], status);
    }
}

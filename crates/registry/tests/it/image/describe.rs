use std::time::Duration;

use longshore_registry::op::image::{DescribeImages, ListImages};
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, OTHER, TestCore, digest_of, oci_manifest, referrer, texts};

async fn describe(t: &TestCore, ids: Value) -> Value {
    t.ok::<DescribeImages>(json!({"repositoryName": "app", "imageIds": ids}))
        .await["imageDetails"]
        .take()
}

#[tokio::test]
async fn an_image_is_described_with_all_its_tags() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await;
    let digest = t.put("app", &manifest, Some("v2")).await;
    t.advance(Duration::from_secs(5));
    t.put("app", &manifest, Some("v1")).await;
    let described = describe(
        &t,
        json!([{"imageTag": "v1"}, {"imageTag": "v2"}, {"imageDigest": digest}]),
    )
    .await;
    assert_eq!(
        described,
        json!([{
            "registryId": ACCOUNT,
            "repositoryName": "app",
            "imageDigest": digest,
            "imageTags": ["v1", "v2"],
            "imageSizeInBytes": "layer of one".len(),
            "imagePushedAt": 1_700_000_005.123,
            "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactMediaType": "application/vnd.oci.image.config.v1+json",
            "imageStatus": "ACTIVE",
        }])
    );
}

#[tokio::test]
async fn a_referrer_is_described_with_its_subject_and_without_tags() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.blob("app", b"{}").await;
    let subject = oci_manifest(b"{}", &[]).to_string();
    let digest = t
        .put(
            "app",
            &referrer(b"{}", &subject, "text/x").to_string(),
            None,
        )
        .await;
    let described = describe(&t, json!([{"imageDigest": digest}])).await;
    assert_eq!(
        described[0]["subjectManifestDigest"],
        digest_of(subject.as_bytes()).to_string()
    );
    assert_eq!(described[0].get("imageTags"), None);
}

#[tokio::test]
async fn one_missing_image_fails_a_describe() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let one = t.image("app", "one", Some("v1")).await;
    t.image("app", "two", Some("v2")).await;
    let unknown = digest_of(b"unknown").to_string();
    for (id, digest, tag) in [
        (json!({"imageTag": "v3"}), "null", "v3"),
        (json!({"imageDigest": unknown}), unknown.as_str(), "null"),
        (json!({"imageDigest": "sha256:00"}), "sha256:00", "null"),
        (
            json!({"imageDigest": one, "imageTag": "v2"}),
            one.as_str(),
            "v2",
        ),
    ] {
        let input = json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}, id]});
        assert_eq!(
            t.refused::<DescribeImages>(input).await,
            (
                "ImageNotFound".to_owned(),
                format!(
                    "The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist within \
                     the repository with name 'app' in the registry with id '{ACCOUNT}'"
                )
            )
        );
    }
}

#[tokio::test]
async fn filters_choose_by_tags_and_by_status() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let tagged = t.image("app", "one", Some("v1")).await;
    let untagged = t.image("app", "two", None).await;
    let mut both = [tagged.clone(), untagged.clone()];
    both.sort();
    for (filter, expected) in [
        (json!({}), both.as_slice()),
        (json!({"tagStatus": "ANY", "imageStatus": "ANY"}), &both),
        (json!({"imageStatus": "ACTIVE"}), &both),
        (
            json!({"tagStatus": "TAGGED"}),
            std::slice::from_ref(&tagged),
        ),
        (
            json!({"tagStatus": "UNTAGGED"}),
            std::slice::from_ref(&untagged),
        ),
        (json!({"imageStatus": "ARCHIVED"}), &[]),
        (
            json!({"tagStatus": "TAGGED", "imageStatus": "ACTIVATING"}),
            &[],
        ),
    ] {
        let input = json!({"repositoryName": "app", "filter": filter});
        let described = t.ok::<DescribeImages>(input.clone()).await;
        assert_eq!(texts(&described["imageDetails"], "imageDigest"), expected);
        let listed = t.ok::<ListImages>(input).await;
        assert_eq!(texts(&listed["imageIds"], "imageDigest"), expected);
    }
    let named = json!({
        "repositoryName": "app",
        "imageIds": [{"imageDigest": tagged}, {"imageDigest": untagged}],
        "filter": {"tagStatus": "UNTAGGED"},
    });
    let described = t.ok::<DescribeImages>(named).await;
    assert_eq!(texts(&described["imageDetails"], "imageDigest"), [untagged]);
}

#[tokio::test]
async fn every_tag_is_listed_and_an_untagged_image_once() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await;
    for tag in ["b", "a"] {
        t.put("app", &manifest, Some(tag)).await;
    }
    let tagged = digest_of(manifest.as_bytes()).to_string();
    let untagged = t.image("app", "two", None).await;
    let mut expected = vec![
        json!({"imageDigest": tagged, "imageTag": "a"}),
        json!({"imageDigest": tagged, "imageTag": "b"}),
        json!({"imageDigest": untagged}),
    ];
    if untagged < tagged {
        expected.rotate_right(1);
    }
    let listed = t.ok::<ListImages>(json!({"repositoryName": "app"})).await;
    assert_eq!(listed, json!({"imageIds": expected}));
}

#[tokio::test]
async fn a_page_ends_before_the_image_whose_tags_are_too_many() {
    let t = TestCore::start().await;
    t.repository("app").await;
    // With two images of 2,600 tags each, one page does not hold the tags of both.
    for seed in ["one", "two"] {
        let manifest = t.manifest("app", seed).await;
        t.put("app", &manifest, None).await;
        let bytes = bytes::Bytes::from(manifest.into_bytes());
        for chunk in 0..26 {
            let tags = (0..100).map(|idx| format!("{seed}-{chunk:02}-{idx:02}").parse().unwrap());
            t.run(longshore_registry::oci::manifest::PushManifest {
                repository: t.at("app"),
                reference: digest_of(&bytes).to_string().parse().unwrap(),
                tags: tags.collect(),
                media_type: None,
                bytes: bytes.clone(),
            })
            .await
            .unwrap();
        }
    }
    let first = t
        .ok::<DescribeImages>(json!({"repositoryName": "app"}))
        .await;
    let input = json!({"repositoryName": "app", "nextToken": first["nextToken"]});
    let second = t.ok::<DescribeImages>(input).await;
    for page in [&first, &second] {
        assert_eq!(page["imageDetails"].as_array().unwrap().len(), 1);
        let tags = page["imageDetails"][0]["imageTags"].as_array().unwrap();
        assert_eq!(tags.len(), 2600);
    }
    assert_eq!(second.get("nextToken"), None);
}

#[tokio::test]
async fn inputs_that_name_no_image_or_page_are_refused() {
    let t = TestCore::start().await;
    t.repository("app").await;
    for seed in ["one", "two"] {
        t.image("app", seed, Some(seed)).await;
    }
    let page = t
        .ok::<DescribeImages>(json!({"repositoryName": "app", "maxResults": 1}))
        .await;
    let token = &page["nextToken"];
    let one = json!([{"imageTag": "one"}]);
    for input in [
        json!({"imageIds": []}),
        json!({"imageIds": vec![json!({"imageTag": "one"}); 101]}),
        json!({"imageIds": [{}]}),
        json!({"imageIds": [{"imageDigest": "nonsense"}]}),
        json!({"imageIds": [{"imageTag": "a b"}]}),
        json!({"imageIds": one, "maxResults": 1}),
        json!({"imageIds": one, "nextToken": token}),
        json!({"maxResults": 0}),
        json!({"maxResults": 1001}),
        json!({"filter": {"tagStatus": "SOME"}}),
        json!({"filter": {"imageStatus": "GONE"}}),
        json!({"nextToken": "nonsense"}),
        json!({"nextToken": token, "filter": {"tagStatus": "TAGGED"}}),
    ] {
        let mut input = input;
        input["repositoryName"] = json!("app");
        let (name, _) = t.refused::<DescribeImages>(input.clone()).await;
        assert_eq!(name, "InvalidParameter", "{input}");
        if input.get("imageIds").is_none() {
            let (name, _) = t.refused::<ListImages>(input.clone()).await;
            assert_eq!(name, "InvalidParameter", "{input}");
        }
    }
    for (input, name) in [
        (json!({"repositoryName": "no"}), "RepositoryNotFound"),
        (
            json!({"repositoryName": "app", "registryId": OTHER}),
            "AccessDenied",
        ),
    ] {
        assert_eq!(t.refused::<DescribeImages>(input.clone()).await.0, name);
        assert_eq!(t.refused::<ListImages>(input).await.0, name);
    }
}

use std::time::Duration;

use longshore_registry::op::{
    image::{BatchDeleteImage, ListImages},
    layer::BatchCheckLayerAvailability,
};
use serde_json::{Value, json};

use crate::harness::{OTHER, TestCore, digest_of, index, texts};

async fn delete(t: &TestCore, ids: Value) -> Value {
    t.ok::<BatchDeleteImage>(json!({"repositoryName": "app", "imageIds": ids}))
        .await
}

async fn left(t: &TestCore) -> Value {
    t.ok::<ListImages>(json!({"repositoryName": "app"})).await["imageIds"].take()
}

#[tokio::test]
async fn by_tag_the_tag_goes_and_with_the_last_the_image() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await;
    let digest = t.put("app", &manifest, Some("v1")).await;
    t.put("app", &manifest, Some("v2")).await;
    let one = json!({"imageDigest": digest, "imageTag": "v1"});
    let two = json!({"imageDigest": digest, "imageTag": "v2"});
    assert_eq!(
        delete(&t, json!([{"imageTag": "v1"}])).await,
        json!({"imageIds": [one], "failures": []})
    );
    assert_eq!(left(&t).await, json!([two]));
    assert_eq!(
        delete(&t, json!([{"imageTag": "v2"}])).await,
        json!({"imageIds": [two], "failures": []})
    );
    assert_eq!(left(&t).await, json!([]));
}

#[tokio::test]
async fn by_digest_the_image_goes_with_all_its_tags() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await;
    let digest = t.put("app", &manifest, Some("v1")).await;
    t.put("app", &manifest, Some("v2")).await;
    let untagged = t.image("app", "two", None).await;
    assert_eq!(
        delete(
            &t,
            json!([{"imageDigest": digest}, {"imageDigest": untagged}])
        )
        .await,
        json!({
            "imageIds": [
                {"imageDigest": digest, "imageTag": "v1"},
                {"imageDigest": digest, "imageTag": "v2"},
                {"imageDigest": untagged},
            ],
            "failures": [],
        })
    );
    assert_eq!(left(&t).await, json!([]));
}

#[tokio::test]
async fn everything_that_a_list_answers_can_be_deleted_by_it() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await;
    for tag in ["v1", "v2", "v3"] {
        t.put("app", &manifest, Some(tag)).await;
    }
    t.image("app", "two", None).await;
    let listed = left(&t).await;
    assert_eq!(
        delete(&t, listed.clone()).await,
        json!({"imageIds": listed, "failures": []})
    );
    assert_eq!(left(&t).await, json!([]));
}

#[tokio::test]
async fn each_id_fails_by_itself_and_deletes_nothing() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let one = t.image("app", "one", Some("v1")).await;
    t.image("app", "two", Some("v2")).await;
    let before = left(&t).await;
    let unknown = digest_of(b"unknown").to_string();
    let ids = json!([
        {},
        {"imageDigest": "nonsense"},
        {"imageTag": "a b"},
        {"imageTag": "v3"},
        {"imageDigest": unknown},
        {"imageDigest": "sha256:00"},
        {"imageDigest": unknown, "imageTag": "v1"},
        {"imageDigest": one, "imageTag": "v2"},
        {"imageDigest": one, "imageTag": "v3"},
    ]);
    let deleted = delete(&t, ids.clone()).await;
    assert_eq!(deleted["imageIds"], json!([]));
    assert_eq!(
        texts(&deleted["failures"], "failureCode"),
        [
            "MissingDigestAndTag",
            "InvalidImageDigest",
            "InvalidImageTag",
            "ImageNotFound",
            "ImageNotFound",
            "ImageNotFound",
            "ImageNotFound",
            "ImageTagDoesNotMatchDigest",
            "ImageTagDoesNotMatchDigest",
        ]
    );
    for idx in 0..9 {
        assert_eq!(deleted["failures"][idx]["imageId"], ids[idx]);
    }
    assert_eq!(left(&t).await, before);
}

#[tokio::test]
async fn a_child_stays_until_its_index_is_gone() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let child = t.manifest("app", "one").await;
    let digest = t.put("app", &child, Some("child")).await;
    t.put("app", &child, Some("again")).await;
    let list = t.put("app", &index(&[&child]), Some("list")).await;
    let refused = json!([{
        "imageId": {"imageDigest": digest},
        "failureCode": "ImageReferencedByManifestList",
        "failureReason": "Requested image referenced by manifest list",
    }]);
    assert_eq!(
        delete(&t, json!([{"imageDigest": digest}])).await,
        json!({"imageIds": [], "failures": refused})
    );
    // A tag goes, the last one does not.
    let done = delete(&t, json!([{"imageTag": "again"}, {"imageTag": "child"}])).await;
    assert_eq!(texts(&done["imageIds"], "imageTag"), ["again"]);
    assert_eq!(
        texts(&done["failures"], "failureCode"),
        ["ImageReferencedByManifestList"]
    );
    let done = delete(&t, json!([{"imageDigest": list}, {"imageDigest": digest}])).await;
    assert_eq!(texts(&done["imageIds"], "imageTag"), ["list", "child"]);
    assert_eq!(left(&t).await, json!([]));
}

#[tokio::test]
async fn the_layers_of_a_deleted_image_stay_promised_for_a_day() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await;
    let digest = t.put("app", &manifest, None).await;
    t.advance(Duration::from_hours(1000));
    delete(&t, json!([{"imageDigest": digest}])).await;
    t.sweep().await;
    let layer = digest_of(b"layer of one").to_string();
    let check = || async {
        let input = json!({"repositoryName": "app", "layerDigests": [layer]});
        let checked = t.ok::<BatchCheckLayerAvailability>(input).await;
        texts(&checked["layers"], "layerAvailability")
    };
    assert_eq!(check().await, ["AVAILABLE"]);
    t.put("app", &manifest, None).await;
    delete(&t, json!([{"imageDigest": digest}])).await;
    t.advance(Duration::from_hours(25));
    t.sweep().await;
    assert_eq!(check().await, ["UNAVAILABLE"]);
}

#[tokio::test]
async fn ids_must_be_one_to_a_hundred_in_a_repository_of_the_caller() {
    let t = TestCore::start().await;
    t.repository("app").await;
    for ids in [json!(null), json!([]), json!(vec![json!({}); 101])] {
        let input = json!({"repositoryName": "app", "imageIds": ids});
        assert_eq!(
            t.refused::<BatchDeleteImage>(input).await.0,
            "InvalidParameter"
        );
    }
    for (input, name) in [
        (
            json!({"repositoryName": "no", "imageIds": [{}]}),
            "RepositoryNotFound",
        ),
        (
            json!({"repositoryName": "app", "registryId": OTHER, "imageIds": [{}]}),
            "AccessDenied",
        ),
    ] {
        assert_eq!(t.refused::<BatchDeleteImage>(input).await.0, name);
    }
}

use longshore_registry::{oci::manifest::PushManifest, op::image::BatchGetImage};
use longshore_types::{digest::Digest, name::Reference};
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, TestCore, digest_of, index, texts};

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";

async fn get(t: &TestCore, ids: Value, accepted: Value) -> Value {
    t.ok::<BatchGetImage>(
        json!({"repositoryName": "app", "imageIds": ids, "acceptedMediaTypes": accepted}),
    )
    .await
}

#[tokio::test]
async fn images_are_got_by_tag_and_by_digest() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await;
    let digest = t.put("app", &manifest, Some("v1")).await;
    let got = get(
        &t,
        json!([{"imageTag": "v1"}, {"imageDigest": digest}, {"imageDigest": digest, "imageTag": "v1"}]),
        json!(null),
    )
    .await;
    let image = |id: Value| {
        json!({
            "registryId": ACCOUNT,
            "repositoryName": "app",
            "imageId": id,
            "imageManifest": manifest,
            "imageManifestMediaType": OCI,
        })
    };
    assert_eq!(
        got,
        json!({
            "images": [
                image(json!({"imageDigest": digest, "imageTag": "v1"})),
                image(json!({"imageDigest": digest})),
                image(json!({"imageDigest": digest, "imageTag": "v1"})),
            ],
            "failures": [],
        })
    );
}

#[tokio::test]
async fn each_id_fails_by_itself() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let one = t.image("app", "one", Some("v1")).await;
    t.image("app", "two", Some("v2")).await;
    let ids = json!([
        {"imageDigest": "nonsense"},
        {"imageTag": "no tag"},
        {"imageDigest": one, "imageTag": "v2"},
        {"imageTag": "v3"},
        {"imageDigest": "sha256:00"},
        {},
        {"imageTag": "v1"},
    ]);
    let got = get(&t, ids.clone(), json!(null)).await;
    assert_eq!(got["images"].as_array().unwrap().len(), 1);
    let failures = &got["failures"];
    assert_eq!(
        texts(failures, "failureCode"),
        [
            "InvalidImageDigest",
            "InvalidImageTag",
            "ImageTagDoesNotMatchDigest",
            "ImageNotFound",
            "ImageNotFound",
            "MissingDigestAndTag"
        ]
    );
    for idx in 0..6 {
        assert_eq!(failures[idx]["imageId"], ids[idx]);
    }
    let reasons = texts(failures, "failureReason");
    assert_eq!(
        reasons[0],
        "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
    );
    assert_eq!(reasons[3], "Requested image not found");
    assert_eq!(
        reasons[5],
        "Invalid request parameters: both tag and digest cannot be null"
    );
}

#[tokio::test]
async fn an_image_is_converted_for_who_asks_by_tag_only() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await;
    let digest = t.put("app", &manifest, Some("v1")).await;
    let got = get(&t, json!([{"imageTag": "v1"}]), json!([DOCKER])).await;
    let image = &got["images"][0];
    assert_eq!(image["imageManifestMediaType"], DOCKER);
    let converted = image["imageManifest"].as_str().unwrap();
    assert_eq!(
        image["imageId"],
        json!({"imageDigest": digest_of(converted.as_bytes()).to_string(), "imageTag": "v1"})
    );
    let converted: Value = serde_json::from_str(converted).unwrap();
    let original: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(converted["mediaType"], DOCKER);
    assert_eq!(
        converted["layers"][0]["digest"],
        original["layers"][0]["digest"]
    );
    for id in [
        json!({"imageDigest": digest}),
        json!({"imageDigest": digest, "imageTag": "v1"}),
    ] {
        let got = get(&t, json!([id]), json!([DOCKER])).await;
        assert_eq!(texts(&got["failures"], "failureCode"), ["ImageNotFound"]);
    }
    let got = get(&t, json!([{"imageTag": "v1"}]), json!([DOCKER, OCI])).await;
    assert_eq!(got["images"][0]["imageManifest"], manifest);
}

#[tokio::test]
async fn any_digest_that_an_image_was_pushed_by_gets_it_under_its_sha256() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await;
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, manifest.as_bytes());
    let sha512 = Digest::sha512(hash.as_ref().try_into().unwrap());
    t.run(PushManifest {
        repository: t.at("app"),
        reference: Reference::Digest(sha512),
        tags: vec!["v1".parse().unwrap()],
        media_type: None,
        bytes: manifest.clone().into(),
    })
    .await
    .unwrap();
    let sha256 = digest_of(manifest.as_bytes()).to_string();
    let both = json!({"imageDigest": sha512.to_string(), "imageTag": "v1"});
    let got = get(
        &t,
        json!([{"imageDigest": sha512.to_string()}, both]),
        json!(null),
    )
    .await;
    assert_eq!(got["failures"], json!([]));
    for idx in 0..2 {
        assert_eq!(got["images"][idx]["imageId"]["imageDigest"], sha256);
    }
}

#[tokio::test]
async fn an_index_is_not_found_by_who_does_not_take_indexes() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let child = t.manifest("app", "one").await;
    t.put("app", &child, None).await;
    t.put("app", &index(&[&child]), Some("v1")).await;
    for accepted in [json!([OCI, DOCKER]), json!(["nonsense"])] {
        let got = get(&t, json!([{"imageTag": "v1"}]), accepted).await;
        assert_eq!(texts(&got["failures"], "failureCode"), ["ImageNotFound"]);
    }
    let accepted = json!(["application/vnd.oci.image.index.v1+json"]);
    let got = get(&t, json!([{"imageTag": "v1"}]), accepted).await;
    assert_eq!(got["failures"], json!([]));
}

#[tokio::test]
async fn more_manifests_than_one_answer_holds_are_over_the_limit() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await;
    let padded = manifest.clone() + &" ".repeat(4_000_000);
    let digest = t.put("app", &padded, None).await;
    let ids = |count| json!(vec![json!({"imageDigest": digest}); count]);
    assert_eq!(
        get(&t, ids(4), json!(null)).await["images"][3]["imageManifest"],
        padded
    );
    let input = json!({"repositoryName": "app", "imageIds": ids(5)});
    assert_eq!(t.refused::<BatchGetImage>(input).await.0, "LimitExceeded");
}

#[tokio::test]
async fn lists_must_have_one_to_a_hundred_items() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let one = json!([{"imageTag": "v1"}]);
    for (ids, accepted) in [
        (json!(null), json!(null)),
        (json!([]), json!(null)),
        (json!(vec![json!({}); 101]), json!(null)),
        (one.clone(), json!([])),
        (one, json!(vec![OCI; 101])),
    ] {
        let input =
            json!({"repositoryName": "app", "imageIds": ids, "acceptedMediaTypes": accepted});
        assert_eq!(
            t.refused::<BatchGetImage>(input).await.0,
            "InvalidParameter"
        );
    }
    let (name, _) = t
        .refused::<BatchGetImage>(json!({"repositoryName": "no", "imageIds": [{}]}))
        .await;
    assert_eq!(name, "RepositoryNotFound");
}

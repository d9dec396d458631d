use std::time::Duration;

use longshore_registry::op::image::{DescribeImages, ListImages, PutImage};
use longshore_types::name::Reference;
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, OTHER, TestCore, digest_of, index, oci_manifest};

fn put(manifest: &str, tag: Option<&str>) -> Value {
    json!({"repositoryName": "app", "imageManifest": manifest, "imageTag": tag})
}

#[tokio::test]
async fn an_image_is_answered_with_its_digest_tag_and_the_manifest_as_it_came() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await.replace(',', " ,\n\t");
    let digest = digest_of(manifest.as_bytes()).to_string();
    let answered = |image_id: Value| {
        json!({"image": {
            "registryId": ACCOUNT,
            "repositoryName": "app",
            "imageId": image_id,
            "imageManifest": manifest,
            "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
        }})
    };
    assert_eq!(
        t.ok::<PutImage>(put(&manifest, None)).await,
        answered(json!({"imageDigest": digest}))
    );
    let mut tagged = put(&manifest, Some("v1"));
    tagged["imageDigest"] = json!(digest);
    assert_eq!(
        t.ok::<PutImage>(tagged).await,
        answered(json!({"imageDigest": digest, "imageTag": "v1"}))
    );
}

#[tokio::test]
async fn the_media_type_comes_from_the_manifest_or_beside_it() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.blob("app", b"{}").await;
    let mut manifest = oci_manifest(b"{}", &[]);
    manifest.as_object_mut().unwrap().remove("mediaType");
    let manifest = manifest.to_string();
    let syntax = (
        "InvalidParameter".to_owned(),
        "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"
            .to_owned(),
    );
    assert_eq!(t.refused::<PutImage>(put(&manifest, None)).await, syntax);
    let mut input = put(&manifest, None);
    input["imageManifestMediaType"] = json!("application/vnd.oci.image.manifest.v1+json");
    let answer = t.ok::<PutImage>(input.clone()).await;
    assert_eq!(
        answer["image"]["imageManifestMediaType"],
        "application/vnd.oci.image.manifest.v1+json"
    );
    input["imageManifestMediaType"] = json!("not a type");
    assert_eq!(t.refused::<PutImage>(input).await.0, "InvalidParameter");
    for text in ["nonsense", "{}", "[]", r#"{"mediaType": "text/plain"}"#] {
        assert_eq!(
            t.refused::<PutImage>(put(text, None)).await,
            syntax,
            "{text}"
        );
    }
}

#[tokio::test]
async fn members_that_no_image_can_have_are_refused() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await;
    let large = " ".repeat(4_194_305);
    for (manifest, tag) in [
        (json!(null), json!(null)),
        (json!(""), json!(null)),
        (json!(large), json!(null)),
        (json!(manifest), json!("")),
        (json!(manifest), json!("a b")),
        (json!(manifest), json!("a".repeat(129))),
    ] {
        let input = json!({"repositoryName": "app", "imageManifest": manifest, "imageTag": tag});
        assert_eq!(t.refused::<PutImage>(input).await.0, "InvalidParameter");
    }
    let mut input = put(&manifest, Some("v1"));
    input["imageDigest"] = json!(digest_of(b"other").to_string());
    assert_eq!(
        t.refused::<PutImage>(input).await,
        (
            "ImageDigestDoesNotMatch".to_owned(),
            format!(
                "The image with digest '{}' in repository 'app' and registry ID '{ACCOUNT}' does not match \
                 the image digest that Amazon ECR has calculated.",
                digest_of(b"other")
            )
        )
    );
}

#[tokio::test]
async fn a_manifest_of_too_many_descriptors_is_over_the_limit() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let layers: Vec<Vec<u8>> = (0..1000_u32)
        .map(|idx| idx.to_be_bytes().to_vec())
        .collect();
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let manifest = oci_manifest(b"{}", &layers).to_string();
    let (name, _) = t.refused::<PutImage>(put(&manifest, None)).await;
    assert_eq!(name, "LimitExceeded");
}

#[tokio::test]
async fn layers_must_be_in_this_repository_and_foreign_ones_need_not() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.repository("other").await;
    let config = t.blob("app", b"{}").await;
    let layer = t.blob("other", b"layer").await;
    let mut manifest = oci_manifest(b"{}", &[b"layer"]);
    assert_eq!(
        t.refused::<PutImage>(put(&manifest.to_string(), None))
            .await,
        (
            "LayersNotFound".to_owned(),
            format!(
                "Layers with digests '[{layer}]' required for pushing image into repository with name 'app' \
                 in the registry with id '{ACCOUNT}' do not exist"
            )
        )
    );
    manifest["layers"][0]["mediaType"] =
        json!("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
    t.put("app", &manifest.to_string(), None).await;
    assert_ne!(config, layer);
}

#[tokio::test]
async fn an_image_that_came_sparse_over_v2_gets_no_tag_by_the_api_until_it_is_whole() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let config = t.blob("app", b"{}").await;
    let child = oci_manifest(b"{}", &[b"layer"]).to_string();
    let list = index(&[&child]);
    for manifest in [&child, &list] {
        t.push(
            "app",
            manifest,
            Reference::Digest(digest_of(manifest.as_bytes())),
        )
        .await
        .unwrap();
    }
    let refused = |manifest: &str| t.refused::<PutImage>(put(manifest, Some("v1")));
    assert_eq!(refused(&child).await.0, "LayersNotFound");
    assert_ne!(t.blob("app", b"layer").await, config);
    t.put("app", &child, Some("v1")).await;
    t.put("app", &list, Some("list")).await;
    let other = index(&["absent"]);
    t.push(
        "app",
        &other,
        Reference::Digest(digest_of(other.as_bytes())),
    )
    .await
    .unwrap();
    assert_eq!(refused(&other).await.0, "ReferencedImagesNotFound");
}

#[tokio::test]
async fn a_layer_past_its_promise_but_not_collected_can_still_be_used() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await;
    t.advance(Duration::from_hours(23));
    t.sweep().await;
    t.put("app", &manifest, Some("v1")).await;
    t.advance(Duration::from_hours(100));
    t.sweep().await;
    let (name, _) = t.refused::<PutImage>(put(&manifest, Some("v1"))).await;
    assert_eq!(name, "ImageAlreadyExists");
}

#[tokio::test]
async fn an_index_needs_its_images_and_is_as_large_as_the_largest() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let small = t.manifest("app", "a").await;
    let large = t.manifest("app", "a longer seed").await;
    let both = index(&[&small, &large]);
    t.put("app", &small, None).await;
    let missing = digest_of(large.as_bytes());
    assert_eq!(
        t.refused::<PutImage>(put(&both, Some("v1"))).await,
        (
            "ReferencedImagesNotFound".to_owned(),
            format!(
                "Images with digests '[{missing}]' required for pushing image into repository with name 'app' \
                 in the registry with id '{ACCOUNT}' do not exist"
            )
        )
    );
    t.put("app", &large, None).await;
    t.put("app", &both, Some("v1")).await;
    let described = t
        .ok::<DescribeImages>(json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}]}))
        .await;
    assert_eq!(
        described["imageDetails"][0]["imageSizeInBytes"],
        "layer of a longer seed".len()
    );
}

#[tokio::test]
async fn the_same_image_and_tag_again_is_an_error_and_another_tag_is_not() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await;
    let digest = t.put("app", &manifest, None).await;
    let exists = |tag: &str| {
        (
            "ImageAlreadyExists".to_owned(),
            format!(
                "Image with digest '{digest}' and tag '{tag}' already exists in the repository with name 'app' \
                 in registry with id '{ACCOUNT}'"
            ),
        )
    };
    assert_eq!(
        t.refused::<PutImage>(put(&manifest, None)).await,
        exists("null")
    );
    t.put("app", &manifest, Some("v1")).await;
    assert_eq!(
        t.refused::<PutImage>(put(&manifest, Some("v1"))).await,
        exists("v1")
    );
    t.put("app", &manifest, Some("v2")).await;
}

#[tokio::test]
async fn a_mutable_tag_moves_and_leaves_the_old_image_untagged() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let old = t.image("app", "old", Some("v1")).await;
    let new = t.image("app", "new", Some("v1")).await;
    let listed = t.ok::<ListImages>(json!({"repositoryName": "app"})).await;
    let mut expected = [
        json!({"imageDigest": old}),
        json!({"imageDigest": new, "imageTag": "v1"}),
    ];
    expected.sort_by_key(|id| id["imageDigest"].as_str().unwrap().to_owned());
    assert_eq!(listed["imageIds"], json!(expected));
}

#[tokio::test]
async fn what_is_wrong_is_told_in_the_order_of_ecr() {
    let t = TestCore::start().await;
    let other = digest_of(b"other").to_string();
    let absent_layers = oci_manifest(b"absent", &[]).to_string();
    let mut input = json!({"repositoryName": "app", "imageManifest": "{", "imageDigest": other, "imageTag": "v1"});
    assert_eq!(
        t.refused::<PutImage>(input.clone()).await.0,
        "RepositoryNotFound"
    );
    t.repository("app").await;
    t.ok::<longshore_registry::op::repository::PutImageTagMutability>(
        json!({"repositoryName": "app", "imageTagMutability": "IMMUTABLE"}),
    )
    .await;
    t.image("app", "one", Some("v1")).await;
    assert_eq!(
        t.refused::<PutImage>(input.clone()).await.0,
        "InvalidParameter"
    );
    input["imageManifest"] = json!(absent_layers);
    assert_eq!(
        t.refused::<PutImage>(input.clone()).await.0,
        "ImageDigestDoesNotMatch"
    );
    input["imageDigest"] = json!(null);
    assert_eq!(
        t.refused::<PutImage>(input.clone()).await.0,
        "ImageTagAlreadyExists"
    );
    input["imageTag"] = json!("v2");
    assert_eq!(
        t.refused::<PutImage>(input.clone()).await.0,
        "LayersNotFound"
    );
    input["registryId"] = json!(OTHER);
    assert_eq!(t.refused::<PutImage>(input).await.0, "AccessDenied");
}

//! Which image may go where, and what becomes of it.

use std::time::Duration;

use longshore_registry::op::image::{BatchDeleteImage, PutImage};
use longshore_types::name::Reference;
use serde_json::{Value, json};

use super::{archive, detail, restore, status, update};
use crate::harness::{ACCOUNT, TestCore, index, name_of, referrer};

async fn refusal(t: &TestCore, id: Value, class: &str) -> (String, String) {
    let error = update(t, id, class).await.unwrap_err();
    (name_of(&error), error.to_string())
}

const UNSUPPORTED: &str = "ImageStorageClassUpdateNotSupported";

#[tokio::test]
async fn an_image_is_archived_at_once_and_restored_after_a_while() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let digest = t.image("app", "one", Some("v1")).await;
    assert_eq!(status(&t, &digest).await, "ACTIVE");
    assert_eq!(detail(&t, &digest).await.get("lastArchivedAt"), None);
    assert_eq!(
        update(&t, json!({"imageTag": "v1"}), "ARCHIVE")
            .await
            .unwrap(),
        json!({"registryId": ACCOUNT, "repositoryName": "app", "imageStatus": "ARCHIVED",
            "imageId": {"imageDigest": digest, "imageTag": "v1"}})
    );
    let archived = detail(&t, &digest).await;
    assert_eq!(archived["imageStatus"], "ARCHIVED");
    assert_eq!(archived["lastArchivedAt"], json!(1_700_000_000.123));
    assert_eq!(archived.get("lastActivatedAt"), None);

    t.advance(Duration::from_mins(1));
    let restored = update(&t, json!({"imageDigest": digest}), "STANDARD")
        .await
        .unwrap();
    assert_eq!(restored["imageStatus"], "ACTIVATING");
    assert_eq!(restored["imageId"], json!({"imageDigest": digest}));
    assert_eq!(status(&t, &digest).await, "ACTIVATING");
    t.advance(Duration::from_secs(10));
    t.sweep().await;
    let active = detail(&t, &digest).await;
    assert_eq!(active["imageStatus"], "ACTIVE");
    assert_eq!(active["lastArchivedAt"], json!(1_700_000_000.123));
    assert_eq!(active["lastActivatedAt"], json!(1_700_000_070.123));
    assert_eq!(active["imagePushedAt"], json!(1_700_000_000.123));

    t.advance(Duration::from_secs(30));
    archive(&t, &digest).await;
    let again = detail(&t, &digest).await;
    assert_eq!(again["lastArchivedAt"], json!(1_700_000_100.123));
    assert_eq!(again["lastActivatedAt"], json!(1_700_000_070.123));
}

#[tokio::test]
async fn an_image_stays_where_it_is_when_it_is_there_or_on_its_way() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let digest = t.image("app", "one", None).await;
    let id = json!({"imageDigest": digest});
    let refused = |text: &str| (UNSUPPORTED.to_owned(), text.to_owned());
    assert_eq!(
        refusal(&t, id.clone(), "STANDARD").await,
        refused("The requested image is already in the standard storage class")
    );
    archive(&t, &digest).await;
    assert_eq!(
        refusal(&t, id.clone(), "ARCHIVE").await,
        refused("The requested image is already in the archive storage class")
    );
    restore(&t, &digest).await;
    for class in ["ARCHIVE", "STANDARD"] {
        assert_eq!(
            refusal(&t, id.clone(), class).await,
            refused("The requested image is being restored")
        );
    }
}

#[tokio::test]
async fn inputs_that_name_no_image_are_refused() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let digest = t.image("app", "one", Some("v1")).await;
    let other = t.image("app", "two", None).await;
    for id in [
        json!({"imageTag": "v2"}),
        json!({"imageDigest": format!("sha256:{}", "0".repeat(64))}),
        json!({"imageDigest": other, "imageTag": "v1"}),
    ] {
        assert_eq!(refusal(&t, id, "ARCHIVE").await.0, "ImageNotFound");
    }
    for (id, class) in [
        (json!({}), "ARCHIVE"),
        (json!({"imageTag": "no tag"}), "ARCHIVE"),
        (json!({"imageDigest": "nonsense"}), "ARCHIVE"),
        (json!(null), "ARCHIVE"),
        (json!({"imageDigest": digest}), "archive"),
    ] {
        assert_eq!(refusal(&t, id, class).await.0, "InvalidParameter");
    }
    assert_eq!(status(&t, &digest).await, "ACTIVE");
}

#[tokio::test]
async fn a_child_is_archived_after_its_index_and_restored_without_it() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "child").await;
    let child = t.put("app", &manifest, None).await;
    let list = t.put("app", &index(&[&manifest]), Some("all")).await;
    assert_eq!(
        refusal(&t, json!({"imageDigest": child}), "ARCHIVE").await,
        (
            UNSUPPORTED.to_owned(),
            "The requested image is referenced by a manifest list that is not archived".to_owned()
        )
    );
    archive(&t, &list).await;
    archive(&t, &child).await;
    restore(&t, &child).await;
    t.sweep().await;
    assert_eq!(status(&t, &child).await, "ACTIVE");
    assert_eq!(status(&t, &list).await, "ARCHIVED");
}

#[tokio::test]
async fn an_index_of_an_archived_image_is_not_put_by_the_api() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "child").await;
    let child = t.put("app", &manifest, None).await;
    archive(&t, &child).await;
    let list = index(&[&manifest]);
    let input = json!({"repositoryName": "app", "imageManifest": list});
    assert_eq!(
        t.refused::<PutImage>(input).await.0,
        "ReferencedImagesNotFound"
    );
    let reference = Reference::Tag("all".parse().unwrap());
    t.push("app", &list, reference).await.unwrap();
}

#[tokio::test]
async fn a_push_restores_at_once_even_under_a_tag_that_never_moves() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await;
    let digest = t.put("app", &manifest, Some("v1")).await;
    t.ok::<longshore_registry::op::repository::PutImageTagMutability>(
        json!({"repositoryName": "app", "imageTagMutability": "IMMUTABLE"}),
    )
    .await;
    archive(&t, &digest).await;
    t.advance(Duration::from_secs(5));
    t.put("app", &manifest, Some("v1")).await;
    let active = detail(&t, &digest).await;
    assert_eq!(active["imageStatus"], "ACTIVE");
    assert_eq!(active["lastActivatedAt"], json!(1_700_000_005.123));
    assert_eq!(active["imageTags"], json!(["v1"]));
    // What is active is not put twice, and no other image takes the tag.
    let again = json!({"repositoryName": "app", "imageManifest": manifest, "imageTag": "v1"});
    assert_eq!(t.refused::<PutImage>(again).await.0, "ImageAlreadyExists");
    archive(&t, &digest).await;
    let other = t.manifest("app", "two").await;
    let taken = json!({"repositoryName": "app", "imageManifest": other, "imageTag": "v1"});
    assert_eq!(
        t.refused::<PutImage>(taken).await.0,
        "ImageTagAlreadyExists"
    );
    // An image on its way back is there at once, too; over `/v2` as well.
    restore(&t, &digest).await;
    let reference = Reference::Tag("v1".parse().unwrap());
    t.push("app", &manifest, reference).await.unwrap();
    assert_eq!(status(&t, &digest).await, "ACTIVE");
}

#[tokio::test]
async fn tags_of_an_archived_image_move_and_go() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let one = t.image("app", "one", Some("v1")).await;
    t.put("app", &t.manifest("app", "one").await, Some("old"))
        .await;
    archive(&t, &one).await;
    let two = t.image("app", "two", Some("v1")).await;
    assert_eq!(detail(&t, &one).await["imageTags"], json!(["old"]));
    assert_eq!(detail(&t, &two).await["imageTags"], json!(["v1"]));
    let delete = |id: Value| json!({"repositoryName": "app", "imageIds": [id]});
    let deleted = t
        .ok::<BatchDeleteImage>(delete(json!({"imageTag": "old"})))
        .await;
    assert_eq!(
        deleted["imageIds"],
        json!([{"imageDigest": one, "imageTag": "old"}])
    );
    let gone = t
        .ok::<BatchDeleteImage>(delete(json!({"imageDigest": one})))
        .await;
    assert_eq!(gone["failures"][0]["failureCode"], "ImageNotFound");
}

#[tokio::test]
async fn an_archived_image_is_deleted_and_pushed_anew_as_if_it_had_never_been() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let manifest = t.manifest("app", "one").await;
    let digest = t.put("app", &manifest, None).await;
    archive(&t, &digest).await;
    let ids = json!({"repositoryName": "app", "imageIds": [{"imageDigest": digest}]});
    let deleted = t.ok::<BatchDeleteImage>(ids).await;
    assert_eq!(deleted["failures"], json!([]));
    t.put("app", &manifest, None).await;
    let fresh = detail(&t, &digest).await;
    assert_eq!(fresh["imageStatus"], "ACTIVE");
    assert_eq!(fresh.get("lastArchivedAt"), None);
}

#[tokio::test]
async fn a_repository_with_nothing_but_archived_images_is_not_empty() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let digest = t.image("app", "one", Some("v1")).await;
    archive(&t, &digest).await;
    let input = json!({"repositoryName": "app"});
    let refused = t.refused::<longshore_registry::op::repository::DeleteRepository>(input);
    assert_eq!(refused.await.0, "RepositoryNotEmpty");
    t.delete_repository("app").await;
    t.sweep().await;
    t.repository("app").await;
}

#[tokio::test]
async fn referrers_are_archived_like_any_image() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let subject = t.manifest("app", "one").await;
    t.put("app", &subject, Some("v1")).await;
    t.blob("app", b"{}").await;
    let signature = referrer(b"{}", &subject, "text/signature").to_string();
    let signature = t.put("app", &signature, None).await;
    archive(&t, &signature).await;
    assert_eq!(status(&t, &signature).await, "ARCHIVED");
}

#[tokio::test]
async fn an_identifier_that_names_no_image_is_refused_by_the_members_own_name() {
    let t = TestCore::start().await;
    t.repository("app").await;
    for (id, member) in [
        (json!({}), "imageId"),
        (json!({"imageTag": "?"}), "imageId.imageTag"),
        (json!({"imageDigest": "?"}), "imageId.imageDigest"),
    ] {
        let error = update(&t, id, "ARCHIVE").await.unwrap_err();
        let expected = format!("Invalid parameter at '{member}' failed");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

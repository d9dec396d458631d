use longshore_registry::{Error, oci::referrers::ListReferrers, op::image::ListImageReferrers};
use serde_json::{Value, json};

use crate::harness::{OTHER, TestCore, digest_of, referrer, texts};

async fn list(t: &TestCore, subject: &str, more: Value) -> Value {
    let mut input = json!({"repositoryName": "app", "subjectId": {"imageDigest": subject}});
    for (member, value) in more.as_object().unwrap() {
        input[member] = value.clone();
    }
    t.ok::<ListImageReferrers>(input).await
}

#[tokio::test]
async fn referrers_are_told_with_type_size_and_annotations() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.blob("app", b"{}").await;
    let subject = digest_of(b"subject").to_string();
    let mut manifest = referrer(b"{}", "subject", "text/signature");
    manifest["annotations"] = json!({"org.example": "x"});
    let text = manifest.to_string();
    let digest = t.put("app", &text, None).await;
    assert_eq!(
        list(&t, &subject, json!({})).await,
        json!({"referrers": [{
            "digest": digest,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": "text/signature",
            "size": text.len(),
            "annotations": {"org.example": "x"},
            "artifactStatus": "ACTIVE",
        }]})
    );
    let other = digest_of(b"other").to_string();
    assert_eq!(list(&t, &other, json!({})).await, json!({"referrers": []}));
}

#[tokio::test]
async fn filters_choose_by_type_and_status() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.blob("app", b"{}").await;
    let subject = digest_of(b"subject").to_string();
    for kind in ["text/a", "text/b", "text/c"] {
        let manifest = referrer(b"{}", "subject", kind).to_string();
        t.put("app", &manifest, None).await;
    }
    for (filter, expected) in [
        (json!({}), vec!["text/a", "text/b", "text/c"]),
        (
            json!({"artifactTypes": []}),
            vec!["text/a", "text/b", "text/c"],
        ),
        (json!({"artifactTypes": ["text/b"]}), vec!["text/b"]),
        (
            json!({"artifactTypes": ["text/c", "text/a"], "artifactStatus": "ANY"}),
            vec!["text/a", "text/c"],
        ),
        (json!({"artifactStatus": "ARCHIVED"}), vec![]),
        (json!({"artifactStatus": "ACTIVATING"}), vec![]),
    ] {
        let listed = list(&t, &subject, json!({"filter": filter})).await;
        let mut types = texts(&listed["referrers"], "artifactType");
        types.sort();
        assert_eq!(types, expected, "{filter}");
        assert_eq!(listed.get("nextToken"), None);
    }
}

#[tokio::test]
async fn pages_join_to_the_list_and_a_page_has_twenty_by_default() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.blob("app", b"{}").await;
    let subject = digest_of(b"subject").to_string();
    for idx in 0..23 {
        let manifest = referrer(b"{}", "subject", &format!("text/x{idx}")).to_string();
        t.put("app", &manifest, None).await;
    }
    let all = list(&t, &subject, json!({"maxResults": 50})).await;
    let all = texts(&all["referrers"], "digest");
    assert_eq!(all.len(), 23);
    let first = list(&t, &subject, json!({})).await;
    assert_eq!(first["referrers"].as_array().unwrap().len(), 20);
    for size in [1, 7, 22, 23] {
        let (mut joined, mut token) = (Vec::new(), json!(null));
        loop {
            let page = list(
                &t,
                &subject,
                json!({"maxResults": size, "nextToken": token}),
            )
            .await;
            joined.extend(texts(&page["referrers"], "digest"));
            token = page["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(joined, all, "{size}");
    }
}

#[tokio::test]
async fn inputs_that_name_no_list_are_refused() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let subject = json!({"imageDigest": digest_of(b"subject").to_string()});
    for input in [
        json!({}),
        json!({"subjectId": {}}),
        json!({"subjectId": {"imageDigest": "nonsense"}}),
        json!({"subjectId": subject, "maxResults": 0}),
        json!({"subjectId": subject, "maxResults": 51}),
        json!({"subjectId": subject, "nextToken": "nonsense"}),
        json!({"subjectId": subject, "filter": {"artifactTypes": vec!["a"; 6]}}),
        json!({"subjectId": subject, "filter": {"artifactTypes": [""]}}),
        json!({"subjectId": subject, "filter": {"artifactTypes": ["a".repeat(256)]}}),
        json!({"subjectId": subject, "filter": {"artifactStatus": "GONE"}}),
    ] {
        let mut input = input;
        input["repositoryName"] = json!("app");
        let (name, _) = t.refused::<ListImageReferrers>(input.clone()).await;
        assert_eq!(name, "InvalidParameter", "{input}");
    }
    let input = json!({"repositoryName": "app", "registryId": OTHER, "subjectId": subject});
    assert_eq!(
        t.refused::<ListImageReferrers>(input).await.0,
        "AccessDenied"
    );
}

#[tokio::test]
async fn text_with_nul_is_the_clients_mistake() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let listed = t
        .run(ListReferrers {
            repository: t.at("app"),
            subject: digest_of(b"{}"),
            artifact_type: Some("a\0b".to_owned()),
            last: None,
        })
        .await;
    assert!(matches!(listed, Err(Error::InvalidParameter(_))));
    let key = t
        .core
        .principals
        .access_key(&t.core.meta, &t.core.keys, "AK\0IA")
        .await;
    assert!(key.unwrap().is_none());
}

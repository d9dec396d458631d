//! Pushing to a name that does not exist.

use serde_json::json;

use crate::harness::{Image, TestServer, digest_of};

async fn template(t: &TestServer, prefix: &str) {
    let input = json!({ "prefix": prefix, "appliedFor": ["CREATE_ON_PUSH"], "imageTagMutability": "IMMUTABLE" });
    t.aws("CreateRepositoryCreationTemplate", &input)
        .await
        .expect(200);
}

#[tokio::test]
async fn a_push_to_a_name_under_a_template_makes_the_repository() {
    let t = TestServer::start().await;
    let password = t.password().await;
    let start = || t.v2(&password, "POST", "prod/app/blobs/uploads/").send();
    let unknown = (
        "NAME_UNKNOWN".to_owned(),
        "The repository with name 'prod/app' does not exist in the registry with id '000000000000'"
            .to_owned(),
    );
    assert_eq!(start().await.expect(404).error(), unknown);
    template(&t, "prod").await;
    let digest = digest_of(b"x");
    for path in [
        "prod/app/manifests/v1".to_owned(),
        "prod/app/tags/list".to_owned(),
        format!("prod/app/blobs/{digest}"),
    ] {
        let read = t.v2(&password, "GET", &path).send().await.expect(404);
        assert_eq!(read.error(), unknown);
        t.v2(&password, "HEAD", &path).send().await.expect(404);
    }
    start().await.expect(202);
    let described = json!({ "repositoryNames": ["prod/app"] });
    let described = t.aws("DescribeRepositories", &described).await.json();
    assert_eq!(
        described["repositories"][0]["imageTagMutability"],
        "IMMUTABLE"
    );
}

#[tokio::test]
async fn a_manifest_makes_the_repository_and_a_broken_one_does_not() {
    let t = TestServer::start().await;
    let password = t.password().await;
    template(&t, "ROOT").await;
    let put = |path: &str, body: Vec<u8>| {
        t.v2(&password, "PUT", path)
            .header("Content-Type", Image::MEDIA_TYPE)
            .body(body)
            .send()
    };
    let refused = put("app/manifests/v1", b"{".to_vec()).await.expect(404);
    assert_eq!(refused.error().0, "NAME_UNKNOWN");
    let image = Image::new("one", 1);
    put("app/manifests/v1", image.manifest()).await.expect(201);
}

#[tokio::test]
async fn a_role_that_may_not_is_told_to_whoever_may_push() {
    let t = TestServer::start().await;
    let password = t.password().await;
    let input = json!({ "prefix": "prod", "appliedFor": ["CREATE_ON_PUSH"],
        "resourceTags": [{ "Key": "team", "Value": "red" }] });
    t.aws("CreateRepositoryCreationTemplate", &input)
        .await
        .expect(200);
    let refused = t.v2(&password, "POST", "prod/app/blobs/uploads/").send();
    let (code, text) = refused.await.expect(403).error();
    assert_eq!(code, "DENIED");
    assert!(
        text.contains("is not authorized to perform: ecr:TagResource"),
        "{text}"
    );
}

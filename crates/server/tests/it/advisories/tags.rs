//! CVE-2026-31801: `latest` was a way around the right to change a tag.

use serde_json::{Value, json};

use crate::harness::{Account, Image, Signer, TestServer, basic, digest_of};

/// An index of nothing, of which `n` makes another.
fn manifest(n: usize) -> String {
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [], "annotations": { "n": n.to_string() } }).to_string()
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

async fn put(signer: &Signer, host: &str, password: &str, tag: &str, n: usize) -> u16 {
    let put = signer
        .request("PUT", &format!("/v2/app/manifests/{tag}"))
        .host(host);
    let put = put
        .header("Authorization", basic("AWS", password))
        .header("Content-Type", INDEX);
    put.body(manifest(n)).send().await.status
}

#[tokio::test]
async fn latest_is_as_immutable_as_any_other_tag() {
    let t = TestServer::start().await;
    let ours = Account::new("000000000000", Signer::root(&t)).await;
    let create = json!({ "repositoryName": "app", "imageTagMutability": "IMMUTABLE" });
    ours.ecr("CreateRepository", &create).await;
    let password = ours.admin.password().await;
    let host = ours.host();
    for (idx, tag) in ["latest", "v1", "main"].into_iter().enumerate() {
        let (first, second) = (idx * 2, idx * 2 + 1);
        assert_eq!(
            put(&ours.admin, &host, &password, tag, first).await,
            201,
            "{tag}"
        );
        assert_eq!(
            put(&ours.admin, &host, &password, tag, second).await,
            400,
            "{tag}"
        );
        // Nor by the digest and a tag beside it, nor by the API.
        let digest = digest_of(manifest(second).as_bytes());
        let by_digest = ours.v2("PUT", &format!("app/manifests/{digest}?tag={tag}"));
        let by_digest = by_digest
            .header("Content-Type", INDEX)
            .body(manifest(second))
            .send()
            .await;
        assert_eq!(by_digest.status, 400, "{tag}: {}", by_digest.text());
        let input =
            json!({ "repositoryName": "app", "imageTag": tag, "imageManifest": manifest(second) });
        let refused = ours.admin.call("ecr", "PutImage", &input).await;
        assert_eq!(refused.fault(), "ImageTagAlreadyExistsException", "{tag}");
        let kept = ours
            .v2("GET", &format!("app/manifests/{tag}"))
            .send()
            .await
            .expect(200);
        assert_eq!(kept.text(), manifest(first), "{tag}");
    }
}

#[tokio::test]
async fn latest_needs_the_same_right_as_any_other_tag_whether_it_is_there_or_not() {
    let t = TestServer::start().await;
    let ours = Account::new("000000000000", Signer::root(&t)).await;
    ours.ecr("CreateRepository", &json!({ "repositoryName": "app" }))
        .await;
    let document: Value = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "ecr:*", "Resource": "*" },
        { "Effect": "Deny", "Action": ["ecr:PutImage", "ecr:BatchDeleteImage"], "Resource": "*" }] });
    let user = ours.user("alice").await;
    let policy =
        json!({ "UserName": "alice", "PolicyName": "p", "PolicyDocument": document.to_string() });
    ours.iam("PutUserPolicy", &policy).await;
    let password = user.password().await;
    let digest = digest_of(manifest(0).as_bytes());
    for is_there in [false, true] {
        for tag in ["latest", "v1", &digest] {
            assert_eq!(
                put(&user, &ours.host(), &password, tag, 0).await,
                403,
                "{tag} {is_there}"
            );
            let path = format!("/v2/app/manifests/{tag}");
            let delete = user.request("DELETE", &path).host(&ours.host());
            let delete = delete.header("Authorization", basic("AWS", &password));
            delete.send().await.expect(403);
        }
        for tag in ["latest", "v1"] {
            let first = ours.v2("PUT", &format!("app/manifests/{tag}"));
            first
                .header("Content-Type", INDEX)
                .body(manifest(0))
                .send()
                .await
                .expect(201);
        }
    }
    assert_ne!(Image::MEDIA_TYPE, INDEX);
}

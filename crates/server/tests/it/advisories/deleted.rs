//! CVE-2026-35172: what was deleted stayed readable by a path that remembered it.

use serde_json::{Value, json};

use crate::harness::{Account, Image, Signer, TestServer, digest_of};

struct Scene {
    ours: Account,
    _server: TestServer,
}

async fn scene() -> Scene {
    let server = TestServer::start().await;
    let ours = Account::new("000000000000", Signer::root(&server)).await;
    for name in ["one", "two"] {
        ours.ecr("CreateRepository", &json!({ "repositoryName": name }))
            .await;
    }
    Scene {
        ours,
        _server: server,
    }
}

impl Scene {
    async fn push(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = digest_of(bytes);
        let path = format!("{repository}/blobs/uploads/?digest={digest}");
        self.ours
            .v2("POST", &path)
            .body(bytes)
            .send()
            .await
            .expect(201);
        digest
    }

    async fn status(&self, method: &str, path: &str) -> u16 {
        self.ours.v2(method, path).send().await.status
    }

    /// What the batch operations say of one layer and one image.
    async fn batch(&self, operation: &str, input: Value) -> String {
        self.ours.ecr(operation, &input).await.text()
    }
}

#[tokio::test]
async fn a_deleted_blob_is_read_by_no_path() {
    let s = scene().await;
    let bytes = b"bytes of two repositories";
    let digest = s.push("one", bytes).await;
    s.push("two", bytes).await;
    let blob = |repository: &str| format!("{repository}/blobs/{digest}");
    let check = json!({ "repositoryName": "one", "layerDigests": [digest] });
    // All paths have looked at it, so that whatever remembers does.
    for method in ["HEAD", "GET"] {
        assert_eq!(s.status(method, &blob("one")).await, 200);
    }
    assert!(
        s.batch("BatchCheckLayerAvailability", check.clone())
            .await
            .contains("\"AVAILABLE\"")
    );
    assert_eq!(s.status("DELETE", &blob("one")).await, 202);
    for method in ["HEAD", "GET", "DELETE"] {
        assert_eq!(s.status(method, &blob("one")).await, 404, "{method}");
    }
    assert!(
        s.batch("BatchCheckLayerAvailability", check)
            .await
            .contains("\"UNAVAILABLE\"")
    );
    let url = json!({ "repositoryName": "one", "layerDigest": digest });
    let refused = s
        .ours
        .admin
        .call("ecr", "GetDownloadUrlForLayer", &url)
        .await;
    assert_eq!(refused.fault(), "LayersNotFoundException");
    // Nobody else lost it, and it comes back by its bytes or from where it is, not by having been here.
    assert_eq!(s.status("GET", &blob("two")).await, 200);
    let from_itself = format!("one/blobs/uploads/?mount={digest}&from=one");
    assert_eq!(s.status("POST", &from_itself).await, 202);
    assert_eq!(s.status("HEAD", &blob("one")).await, 404);
}

#[tokio::test]
async fn a_deleted_image_is_read_by_no_path() {
    let s = scene().await;
    let image = Image::new("deleted", 1);
    for blob in image.blobs() {
        s.push("one", blob).await;
    }
    let digest = digest_of(&image.manifest());
    let put = async |tag: &str, manifest: Vec<u8>| {
        let put = s.ours.v2("PUT", &format!("one/manifests/{tag}"));
        put.header("Content-Type", Image::MEDIA_TYPE)
            .body(manifest)
            .send()
            .await
            .expect(201);
    };
    for by_api in [false, true] {
        put("v1", image.manifest()).await;
        put("v2", image.manifest()).await;
        for reference in ["v1", "v2", &digest] {
            assert_eq!(
                s.status("GET", &format!("one/manifests/{reference}")).await,
                200
            );
        }
        if by_api {
            let delete =
                json!({ "repositoryName": "one", "imageIds": [{ "imageDigest": digest }] });
            s.batch("BatchDeleteImage", delete).await;
        } else {
            assert_eq!(
                s.status("DELETE", &format!("one/manifests/{digest}")).await,
                202
            );
        }
        for reference in ["v1", "v2", &digest] {
            for method in ["GET", "HEAD", "DELETE"] {
                let status = s
                    .status(method, &format!("one/manifests/{reference}"))
                    .await;
                assert_eq!(status, 404, "{method} {reference}");
            }
        }
        let ids = json!({ "repositoryName": "one", "imageIds": [{ "imageDigest": digest }, { "imageTag": "v1" }] });
        let got = s.batch("BatchGetImage", ids).await;
        assert!(!got.contains("imageManifest\""), "{got}");
        assert!(
            !s.batch("ListImages", json!({ "repositoryName": "one" }))
                .await
                .contains(&digest)
        );
        let tags = s
            .ours
            .v2("GET", "one/tags/list")
            .send()
            .await
            .expect(200)
            .json();
        assert_eq!(tags["tags"], json!([]));
    }
}

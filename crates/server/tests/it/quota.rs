//! Quotas of counts and sizes, as both wires and the metrics tell them.

use serde_json::json;

use crate::harness::{Answer, Image, TestServer, digest_of};

async fn with(quotas: &[&str]) -> TestServer {
    TestServer::with(|config| {
        config.count_quotas = quotas.iter().map(|text| text.parse().unwrap()).collect();
        config.metrics_listen = Some("127.0.0.1:0".to_owned());
    })
    .await
}

/// The type and text of an error of the API.
fn refused(answer: &Answer) -> (String, String) {
    let json = answer.json();
    let text = |member: &str| json[member].as_str().unwrap().to_owned();
    (text("__type"), text("message"))
}

#[tokio::test]
async fn a_quota_of_counts_is_a_limit_by_the_api_and_denied_under_v2() {
    let t = with(&[
        "repositories=1",
        "images-per-repository=1",
        "tags-per-image=2",
    ])
    .await;
    t.create("app").await;
    let more = json!({ "repositoryName": "more" });
    let answer = t.aws("CreateRepository", &more).await.expect(400);
    let (code, text) = refused(&answer);
    assert_eq!(code, "LimitExceededException");
    assert!(
        text.contains("has 1 repositories, which is the limit"),
        "{text}"
    );

    let password = t.password().await;
    let put = |tag: &str, image: &Image| {
        t.v2(&password, "PUT", &format!("app/manifests/{tag}"))
            .header("Content-Type", Image::MEDIA_TYPE)
            .body(image.manifest())
            .send()
    };
    let (first, second) = (Image::new("first", 1), Image::new("second", 1));
    put("one", &first).await.expect(201);
    put("two", &first).await.expect(201);
    let denied = put("one", &second).await.expect(403);
    assert_eq!(
        denied.error(),
        (
            "DENIED".to_owned(),
            "The repository has 1 images, which is the limit".to_owned()
        )
    );
    let denied = put("three", &first).await.expect(403);
    assert_eq!(denied.error().1, "An image cannot have more than 2 tags");
    let image = json!({ "repositoryName": "app", "imageTag": "three", "imageManifestMediaType": Image::MEDIA_TYPE,
        "imageManifest": String::from_utf8(first.manifest()).unwrap() });
    for blob in first.blobs() {
        t.push_blob(&password, "app", blob).await;
    }
    let answer = t.aws("PutImage", &image).await.expect(400);
    assert_eq!(refused(&answer).0, "LimitExceededException");

    let metrics = t.metrics().await;
    for line in [
        r#"longshore_quota_limit{quota="images-per-repository"} 1"#,
        r#"longshore_quota_used{quota="repositories",of="000000000000/us-east-1"} 1"#,
        r#"longshore_quota_used{quota="images-per-repository",of="000000000000/us-east-1/app"} 1"#,
    ] {
        assert!(
            metrics.lines().any(|other| other == line),
            "{line}\n{metrics}"
        );
    }
}

#[tokio::test]
async fn a_layer_that_is_too_large_is_refused_unread() {
    let t = with(&["layer-size=1KiB"]).await;
    t.create("app").await;
    let password = t.password().await;
    let bytes = vec![7; 1025];
    let digest = digest_of(&bytes);
    let path = format!("app/blobs/uploads/?digest={digest}");
    let pushed = t.v2(&password, "POST", &path).body(bytes).send();
    let (code, text) = pushed.await.expect(413).error();
    assert_eq!(code, "SIZE_INVALID");
    assert_eq!(
        text,
        "The layer is larger than 1024 bytes, which is the limit"
    );
    let begin = json!({ "repositoryName": "app" });
    let begun = t.aws("InitiateLayerUpload", &begin).await.json();
    let part = json!({ "repositoryName": "app", "uploadId": begun["uploadId"], "partFirstByte": 0, "partLastByte": 1024,
        "layerPartBlob": "A".repeat(1367) + "=" });
    let answer = t.aws("UploadLayerPart", &part).await.expect(400);
    assert_eq!(refused(&answer).0, "LimitExceededException");
}

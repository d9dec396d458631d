use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::harness::{TestServer, digest_of};

async fn begin(t: &TestServer) -> String {
    t.create("app").await;
    let begun = t
        .aws("InitiateLayerUpload", &json!({ "repositoryName": "app" }))
        .await
        .expect(200)
        .json();
    begun["uploadId"].as_str().unwrap().to_owned()
}

fn part(upload: &str, first: usize, bytes: &[u8]) -> Value {
    json!({
        "repositoryName": "app",
        "uploadId": upload,
        "partFirstByte": first,
        "partLastByte": first + bytes.len() - 1,
        "layerPartBlob": STANDARD.encode(bytes),
    })
}

#[tokio::test]
async fn a_layer_goes_up_in_parts() {
    let t = TestServer::start().await;
    let upload = begin(&t).await;
    let large: Vec<u8> = (0..6_000_000_u32).map(|at| (at % 251) as u8).collect();
    let answer = t
        .aws("UploadLayerPart", &part(&upload, 0, &large))
        .await
        .expect(200)
        .json();
    assert_eq!(answer["lastByteReceived"], 5_999_999);
    let answer = t
        .aws("UploadLayerPart", &part(&upload, 6_000_000, b"end"))
        .await
        .expect(200)
        .json();
    assert_eq!(answer["lastByteReceived"], 6_000_002);
    let digest = digest_of(&[large.as_slice(), b"end"].concat());
    let close = json!({ "repositoryName": "app", "uploadId": upload, "layerDigests": [digest] });
    let closed = t
        .aws("CompleteLayerUpload", &close)
        .await
        .expect(200)
        .json();
    assert_eq!(closed["layerDigest"], digest.as_str());
}

#[tokio::test]
async fn a_part_in_the_wrong_place_is_told_the_right_one() {
    let t = TestServer::start().await;
    let upload = begin(&t).await;
    t.aws("UploadLayerPart", &part(&upload, 0, b"0123456789"))
        .await
        .expect(200);
    let refused = t
        .aws("UploadLayerPart", &part(&upload, 5, b"x"))
        .await
        .expect(400);
    assert_eq!(refused.fault(), "InvalidLayerPartException");
    let json = refused.json();
    assert_eq!(json["lastValidByteReceived"], 9);
    assert_eq!(
        (
            &json["uploadId"],
            &json["repositoryName"],
            &json["registryId"]
        ),
        (&json!(upload), &json!("app"), &json!("000000000000"))
    );
}

#[tokio::test]
async fn a_part_that_is_not_signed_for_changes_nothing() {
    let t = TestServer::start().await;
    let upload = begin(&t).await;
    let mut forged = t.sign(t.call("UploadLayerPart", &part(&upload, 0, b"good")));
    forged.body = part(&upload, 0, b"evil").to_string().into_bytes();
    assert_eq!(
        forged.send().await.expect(400).fault(),
        "InvalidSignatureException"
    );
    t.aws("UploadLayerPart", &part(&upload, 0, b"good"))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_part_without_bytes_is_refused() {
    let t = TestServer::start().await;
    let upload = begin(&t).await;
    let mut input = part(&upload, 0, b"x");
    input.as_object_mut().unwrap().remove("layerPartBlob");
    assert_eq!(
        t.aws("UploadLayerPart", &input).await.expect(400).fault(),
        "InvalidParameterException"
    );
    input["layerPartBlob"] = json!("not base64!");
    assert_eq!(
        t.aws("UploadLayerPart", &input).await.expect(400).fault(),
        "SerializationException"
    );
}

//! Whoever knows an access key's id, and not its secret, holds up nobody who was right lately.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::harness::{Answer, TestServer};

const MIB: usize = 1024 * 1024;
const OWNER: &str = "192.0.2.1";
const STRANGER: &str = "198.51.100.1";

/// A server behind a proxy that tells it where clients are; who finds no room is told soon.
async fn proxied() -> TestServer {
    TestServer::with(|config| {
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        config.metrics_listen = Some("127.0.0.1:0".to_owned());
        config.limits.memory_wait = Duration::from_millis(300);
    })
    .await
}

async fn call(t: &TestServer, client: &str, operation: &str, input: &Value) -> Answer {
    let call = t.call(operation, input).header("X-Forwarded-For", client);
    t.sign(call).send().await
}

/// Begins a call by somebody who has heard of the owner's key, and sends this much of its body unless it is refused.
async fn hold(t: &TestServer, operation: &str, announced: usize, sent: Vec<u8>) -> impl Sized {
    let mut credentials = t.credentials.clone();
    "a guess".clone_into(&mut credentials.key.secret);
    let call = t
        .call(operation, &json!({}))
        .header("X-Forwarded-For", STRANGER);
    let call = TestServer::sign_as(call, &credentials, "ecr")
        .header("Content-Length", announced.to_string());
    let mut connection = t.connect().await;
    connection
        .write_or_give_up(&call.body(sent).to_bytes())
        .await;
    connection
}

async fn free(t: &TestServer, gauge: &str) -> usize {
    let metrics = t.metrics().await;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(&format!("longshore_{gauge} ")));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn parts_of_strangers_that_trickle_leave_room_for_those_of_the_owner() {
    let t = proxied().await;
    t.create("app").await;
    let app = json!({"repositoryName": "app"});
    let begun = call(&t, OWNER, "InitiateLayerUpload", &app).await;
    let upload = begun.expect(200).json()["uploadId"].clone();
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(
            hold(
                &t,
                "UploadLayerPart",
                20 * MIB,
                b"{\"layerPartBlob\":\"".to_vec(),
            )
            .await,
        );
    }
    while free(&t, "layer_parts_free").await == 5 {}
    let part = json!({"repositoryName": "app", "uploadId": upload, "partFirstByte": 0, "partLastByte": 3,
        "layerPartBlob": STANDARD.encode("part")});
    call(&t, OWNER, "UploadLayerPart", &part).await.expect(200);
    // Another stranger finds no room beside them.
    let part = call(&t, "203.0.113.1", "UploadLayerPart", &part).await;
    assert_eq!(part.expect(400).fault(), "ThrottlingException");
    drop(held);
}

#[tokio::test]
async fn bodies_of_strangers_leave_room_for_those_of_the_owner() {
    let t = proxied().await;
    let describe = async |client| call(&t, client, "DescribeRegistry", &json!({})).await;
    describe(OWNER).await.expect(200);
    let all = free(&t, "body_memory_free_bytes").await;
    let mut held = Vec::new();
    // More than there is, had they no bound of their own.
    for _ in 0..9 {
        held.push(hold(&t, "PutImage", 12 * MIB, vec![b' '; 4 * MIB]).await);
    }
    assert!(free(&t, "body_memory_free_bytes").await >= all - 12 * MIB);
    describe(OWNER).await.expect(200);
    let large = json!({"repositoryName": "absent", "imageManifest": " ".repeat(4 * MIB)});
    let refused = call(&t, OWNER, "PutImage", &large).await.expect(400);
    assert_ne!(refused.fault(), "ThrottlingException");
    // Another stranger finds no room beside them, but for what is small, and some when they are gone.
    let refused = call(&t, "203.0.113.1", "PutImage", &large).await;
    assert_eq!(refused.expect(400).fault(), "ThrottlingException");
    describe("203.0.113.2").await.expect(200);
    drop(held);
    while free(&t, "body_memory_free_bytes").await < all {}
    let told = call(&t, "203.0.113.3", "PutImage", &large).await;
    assert_ne!(told.expect(400).fault(), "ThrottlingException");
}

//! Whoever has a right key, and fills the memory that is their part, holds up nobody else.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::http2;
use crate::harness::{Answer, Person, TestServer, digest_of};

const MIB: usize = 1024 * 1024;

async fn server() -> TestServer {
    TestServer::with(|config| {
        config.metrics_listen = Some("127.0.0.1:0".to_owned());
        config.limits.memory_wait = Duration::from_millis(300);
    })
    .await
}

async fn free(t: &TestServer, gauge: &str) -> usize {
    let metrics = t.metrics().await;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(&format!("longshore_{gauge} ")));
    line.unwrap().parse().unwrap()
}

/// Makes a user who was right just now, and may do nothing.
async fn mallory(t: &TestServer) -> Person {
    let mallory = t.user("mallory").await;
    let denied = t.ecr(&mallory, "DescribeRegistry", &json!({})).await;
    assert_eq!(denied.expect(400).fault(), "AccessDeniedException");
    mallory
}

/// Begins a call of which the body does not end, and sends this much of it unless it is refused.
async fn hold(
    t: &TestServer,
    who: &Person,
    operation: &str,
    announced: usize,
    sent: Vec<u8>,
) -> impl Sized + use<> {
    let call = who
        .sign(t.call(operation, &json!({})), "ecr")
        .header("Content-Length", announced.to_string());
    let mut connection = t.connect().await;
    connection
        .write_or_give_up(&call.body(sent).to_bytes())
        .await;
    connection
}

fn part(upload: &Value) -> Value {
    json!({"repositoryName": "app", "uploadId": upload, "partFirstByte": 0, "partLastByte": 3,
        "layerPartBlob": STANDARD.encode("part")})
}

#[tokio::test]
async fn parts_of_one_principal_leave_room_for_those_of_another() {
    let t = server().await;
    t.create("app").await;
    let app = json!({"repositoryName": "app"});
    let begun = t.aws("InitiateLayerUpload", &app).await.expect(200);
    let upload = begun.json()["uploadId"].clone();
    let mallory = mallory(&t).await;
    let mut held = Vec::new();
    for _ in 0..5 {
        let sent = b"{\"layerPartBlob\":\"".to_vec();
        held.push(hold(&t, &mallory, "UploadLayerPart", 20 * MIB, sent).await);
    }
    while free(&t, "layer_parts_free").await > 3 {}
    t.aws("UploadLayerPart", &part(&upload)).await.expect(200);
    let refused = t.ecr(&mallory, "UploadLayerPart", &part(&upload)).await;
    assert_eq!(refused.expect(400).fault(), "ThrottlingException");
    drop(held);
}

#[tokio::test]
async fn parts_that_wait_for_room_leave_their_connection_to_others() {
    const HOST: &str = "localhost:5050";
    let t = TestServer::with(|config| {
        config.metrics_listen = Some("127.0.0.1:0".to_owned());
        config.limits.memory_wait = Duration::from_hours(1);
    })
    .await;
    t.create("app").await;
    let password = t.password().await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let sent = b"{\"layerPartBlob\":\"".to_vec();
        held.push(hold(&t, &t.root(), "UploadLayerPart", 20 * MIB, sent).await);
    }
    while free(&t, "layer_parts_free").await > 3 {}
    let client = http2::connect(t.address()).await;
    let mut waiting = JoinSet::new();
    for _ in 0..4 {
        let call = t.call("UploadLayerPart", &json!({})).host(HOST);
        let call = t.sign(call.body(vec![b' '; 2 * MIB]));
        let mut client = client.clone();
        waiting.spawn(async move { http2::send(&mut client, HOST, call).await });
    }
    // Three fill what they can of the connection, and a fourth would fill the rest.
    let refused = tokio::time::timeout(Duration::from_mins(1), waiting.join_next()).await;
    let refused = refused.expect("all of them wait").unwrap().unwrap();
    let text = String::from_utf8_lossy(&refused.2);
    assert!(
        refused.0 == 400 && text.contains("ThrottlingException"),
        "{text}"
    );
    let blob = vec![7; 2 * MIB];
    let path = format!("app/blobs/uploads/?digest={}", digest_of(&blob));
    let push = t.v2(&password, "POST", &path).body(blob);
    let (mut client, host) = (client.clone(), t.host());
    let pushed = http2::send(&mut client, &host, push);
    let pushed = tokio::time::timeout(Duration::from_mins(1), pushed).await;
    assert_eq!(pushed.expect("nothing of it came in").0, 201);
}

#[tokio::test]
async fn bodies_of_one_principal_leave_room_for_those_of_another_and_for_small_ones() {
    let t = server().await;
    let all = free(&t, "body_memory_free_bytes").await;
    t.aws("DescribeRegistry", &json!({})).await.expect(200);
    let mallory = mallory(&t).await;
    let mut held = Vec::new();
    // More than there is, had each no bound.
    for _ in 0..4 {
        held.push(hold(&t, &mallory, "PutImage", 12 * MIB, vec![b' '; 11 * MIB]).await);
    }
    while free(&t, "body_memory_free_bytes").await > all - 11 * MIB {}
    let large = json!({"repositoryName": "absent", "imageManifest": " ".repeat(4 * MIB)});
    let told = t.aws("PutImage", &large).await.expect(400);
    assert_ne!(told.fault(), "ThrottlingException");
    let told = t.ecr(&mallory, "PutImage", &large).await.expect(400);
    assert_eq!(told.fault(), "ThrottlingException");
    let told = t.ecr(&mallory, "DescribeRegistry", &json!({})).await;
    assert_eq!(told.expect(400).fault(), "AccessDeniedException");
    drop(held);
    while free(&t, "body_memory_free_bytes").await < all {}
}

#[tokio::test]
async fn a_large_body_that_comes_too_slowly_is_cut_off() {
    let t = TestServer::with(|config| config.limits.pace = Duration::from_millis(200)).await;
    t.aws("DescribeRegistry", &json!({})).await.expect(200);
    for operation in ["PutImage", "UploadLayerPart"] {
        let head = t
            .sign(t.call(operation, &json!({})))
            .header("Content-Length", (2 * MIB).to_string());
        let mut connection = t.connect().await;
        connection
            .write(&head.body(b"{\"layerPartBlob\":\"".to_vec()).to_bytes())
            .await;
        // Each byte comes well before a silence is too long.
        let refused: Answer = loop {
            if let Some(answer) = connection.try_answer().await {
                break answer;
            }
            connection.write_or_give_up(b"a").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        // SDKs send it again.
        assert_eq!(refused.expect(408).fault(), "RequestTimeoutException");
    }
}

#[tokio::test]
async fn a_manifest_of_somebody_who_may_not_push_is_not_read() {
    let t = server().await;
    t.create("app").await;
    let mallory = t.user("mallory").await;
    let statement =
        json!({"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"});
    t.allow_user(&t.root(), "mallory", &statement).await;
    let password = t.password_for(&mallory).await;
    let put = |path: &str| {
        t.v2(&password, "PUT", path)
            .header("Content-Length", (2 * MIB).to_string())
    };
    for path in ["app/manifests/v1", "absent/manifests/v1"] {
        let mut connection = t.connect().await;
        // None of the body is sent.
        connection.write(&put(path).to_bytes()).await;
        let refused = connection.answer(false).await.unwrap().expect(403);
        assert_eq!(refused.error().0, "DENIED");
    }
    let mut connection = t.connect().await;
    let owner = t.password().await;
    let put = t
        .v2(&owner, "PUT", "app/manifests/v1")
        .header("Content-Length", (2 * MIB).to_string());
    connection.write(&put.to_bytes()).await;
    connection.write(&vec![b' '; 2 * MIB]).await;
    let read = connection.answer(false).await.unwrap().expect(400);
    assert_eq!(read.error().0, "MANIFEST_INVALID");
}

#[tokio::test]
async fn bodies_that_strangers_never_finish_are_failures() {
    let t = server().await;
    let failures = async || free(&t, "failed_authentications_total").await;
    for done in 1..=10 {
        let unfinished = hold(&t, &t.root(), "DescribeRegistry", 1000, b"{".to_vec()).await;
        drop(unfinished);
        while failures().await < done {}
    }
    let refused = t.aws("DescribeRegistry", &json!({})).await.expect(400);
    assert_eq!(refused.fault(), "ThrottlingException");
}

#[tokio::test]
async fn bodies_that_whoever_was_right_never_finishes_are_none() {
    let t = server().await;
    t.aws("DescribeRegistry", &json!({})).await.expect(200);
    for _ in 0..20 {
        drop(hold(&t, &t.root(), "DescribeRegistry", 1000, b"{".to_vec()).await);
    }
    t.aws("DescribeRegistry", &json!({})).await.expect(200);
    assert_eq!(free(&t, "failed_authentications_total").await, 0);
}

#[tokio::test]
async fn sessions_of_one_principal_are_known_together() {
    let t = server().await;
    let session = async || Person::of(&t.sts(&t.root(), "GetSessionToken", &[]).await.expect(200));
    let first = session().await;
    t.ecr(&first, "DescribeRegistry", &json!({}))
        .await
        .expect(200);
    // One that has never called counts as right, too: what it never finishes is no failure.
    let second = session().await;
    let unfinished = hold(&t, &second, "DescribeRegistry", 1000, b"{".to_vec()).await;
    drop(unfinished);
    t.ecr(&second, "DescribeRegistry", &json!({}))
        .await
        .expect(200);
    assert_eq!(free(&t, "failed_authentications_total").await, 0);
}

use std::time::Duration;

use crate::harness::TestServer;

#[tokio::test]
async fn stopping_finishes_what_is_in_flight() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    let mut busy = t.connect().await;
    let digest = crate::harness::digest_of(b"halves");
    let head = format!(
        "POST /v2/app/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {password}\r\nContent-Length: 6\r\n\r\nhal"
    );
    busy.write(head.as_bytes()).await;
    let mut idle = t.connect().await;
    idle.send(t.request("GET", "/healthz")).await.expect(200);
    let stopping = tokio::spawn(t.running.stop());
    assert!(
        idle.is_closed().await,
        "an idle connection is not waited for"
    );
    busy.write(b"ves").await;
    busy.answer(false).await.unwrap().expect(201);
    assert!(stopping.await.unwrap());
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let t = TestServer::with(|config| config.drain = Duration::from_millis(100)).await;
    t.create("app").await;
    let password = t.password().await;
    let mut stuck = t.connect().await;
    let head = format!(
        "POST /v2/app/blobs/uploads/?digest=sha256:{} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {password}\r\nContent-Length: 6\r\n\r\nhal",
        "0".repeat(64)
    );
    stuck.write(head.as_bytes()).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!t.running.stop().await);
    assert!(stuck.is_closed().await);
}

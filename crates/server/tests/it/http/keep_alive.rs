use std::time::Duration;

use tokio::time::sleep;

use crate::harness::{TestServer, digest_of};

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let t = TestServer::start().await;
    let mut connection = t.connect().await;
    for _ in 0..3 {
        connection
            .send(t.request("GET", "/healthz"))
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn a_connection_that_was_idle_serves_on() {
    let t = TestServer::start().await;
    let mut connection = t.connect().await;
    connection
        .send(t.request("GET", "/healthz"))
        .await
        .expect(200);
    // Longer than it takes to be parked.
    sleep(Duration::from_millis(1300)).await;
    connection
        .send(t.request("GET", "/healthz"))
        .await
        .expect(200);
    connection
        .send(t.request("GET", "/healthz"))
        .await
        .expect(200);
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_the_end() {
    let t = TestServer::with(|config| config.limits.idle = Duration::from_millis(100)).await;
    let mut connection = t.connect().await;
    connection
        .send(t.request("GET", "/healthz"))
        .await
        .expect(200);
    assert!(connection.is_closed().await);
}

#[tokio::test]
async fn requests_sent_together_are_answered_in_order() {
    let t = TestServer::start().await;
    let mut connection = t.connect().await;
    let requests = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /readyz HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n";
    connection.write(requests.as_bytes()).await;
    assert_eq!(connection.answer(false).await.unwrap().text(), "ok\n");
    assert_eq!(connection.answer(false).await.unwrap().text(), "ready\n");
    connection.answer(false).await.unwrap().expect(404);
}

#[tokio::test]
async fn a_refused_upload_is_answered_though_its_body_goes_on() {
    let t = TestServer::start().await;
    let body = vec![0; 8 * 1024 * 1024];
    let target = format!("/v2/app/blobs/uploads/?digest={}", digest_of(&body));
    let refused = t.request("POST", &target).body(body).send().await;
    assert_eq!(refused.expect(401).header("connection"), Some("close"));
}

#[tokio::test]
async fn a_body_that_was_read_leaves_the_connection_open() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    let mut connection = t.connect().await;
    for _ in 0..2 {
        let put = t
            .v2(&password, "PUT", "app/manifests/v1")
            .body("no manifest");
        let refused = connection.send(put).await.expect(400);
        assert_eq!(refused.error().0, "MANIFEST_INVALID");
        assert_eq!(refused.header("connection"), None);
    }
}

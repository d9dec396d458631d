//! Everything that comes in has a bound, and going over it is an answer, never an abort.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Image, TestServer};

#[tokio::test]
async fn a_head_that_is_too_large_is_431() {
    let t = TestServer::start().await;
    t.request("GET", "/healthz")
        .header("X-Long", "a".repeat(100_000))
        .send()
        .await
        .expect(431);
    let mut many = t.request("GET", "/healthz");
    for at in 0..500 {
        many = many.header(&format!("X-{at}"), "a");
    }
    many.send().await.expect(431);
    t.request("GET", "/healthz")
        .header("X-Long", "a".repeat(20_000))
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn a_query_that_is_too_long_is_refused() {
    let t = TestServer::start().await;
    let password = t.password().await;
    let path = format!("_catalog?last={}", "a".repeat(9000));
    t.v2(&password, "GET", &path).send().await.expect(400);
}

#[tokio::test]
async fn a_head_that_trickles_in_is_cut_off() {
    let t = TestServer::with(|config| config.limits.head = Duration::from_millis(200)).await;
    let mut connection = t.connect().await;
    connection.write(b"GET /healthz HTTP/1.1\r\nHost: ").await;
    assert!(connection.is_closed().await);
}

#[tokio::test]
async fn a_client_that_says_nothing_is_cut_off() {
    let t = TestServer::with(|config| config.limits.head = Duration::from_millis(200)).await;
    assert!(t.connect().await.is_closed().await);
}

#[tokio::test]
async fn a_body_that_stops_is_refused_and_admits_nothing() {
    let t = TestServer::with(|config| config.limits.stall = Duration::from_millis(200)).await;
    t.create("app").await;
    let password = t.password().await;
    let started = t
        .v2(&password, "POST", "app/blobs/uploads/")
        .send()
        .await
        .expect(202);
    let upload = started.header("location").unwrap().to_owned();
    let patch = t
        .request("PATCH", &upload)
        .bearer(&password)
        .header("Content-Length", "100000");
    let refused = patch.body("the first of many").send().await.expect(408);
    assert_eq!(refused.error().0, "REQUEST_TIMEOUT");
    let status = t
        .request("GET", &upload)
        .bearer(&password)
        .send()
        .await
        .expect(204);
    assert_eq!(status.header("range"), Some("0-0"));
}

#[tokio::test]
async fn a_whole_body_that_trickles_in_is_cut_off() {
    let t = TestServer::with(|config| config.limits.body = Duration::from_millis(300)).await;
    let call = t.sign(t.call("DescribeRegistry", &json!({})));
    let mut connection = t.connect().await;
    let mut head = call.header("Content-Length", "1000000");
    head.body = Vec::new();
    connection.write(&head.to_bytes()).await;
    let trickle = async {
        loop {
            connection.write(b" ").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            if let Some(answer) = connection.try_answer().await {
                return answer;
            }
        }
    };
    let refused = trickle.await.expect(408);
    assert_eq!(refused.fault(), "RequestTimeoutException");
}

#[tokio::test]
async fn strangers_take_no_memory_from_those_who_sign() {
    const FORM: &str = "application/x-www-form-urlencoded";
    const LARGEST: usize = 128 * 1024;
    let t = TestServer::with(|config| {
        config.limits.memory_wait = Duration::from_millis(100);
        config.metrics_listen = Some("127.0.0.1:0".to_owned());
    })
    .await;
    let all = memory_left(&t).await;
    let unsigned = |announced: usize| {
        t.request("POST", "/")
            .header("Content-Type", FORM)
            .header("Content-Length", announced.to_string())
    };
    let mut held = Vec::new();
    for _ in 0..16 {
        let call = unsigned(LARGEST).body(vec![b'a'; LARGEST - 1]);
        let mut connection = t.connect().await;
        connection.write(&call.to_bytes()).await;
        held.push(connection);
    }
    // What is left for strangers is less than this one needs, once all of the others are in.
    let refused = loop {
        let answer = unsigned(64).body("a".repeat(64)).send().await;
        if answer.text().contains("<Code>Throttling</Code>") {
            break answer;
        }
    };
    refused.expect(400);
    assert_eq!(memory_left(&t).await, all);
    t.aws("DescribeRegistry", &json!({})).await.expect(200);
    unsigned(LARGEST + 1).send().await.expect(413);
}

async fn memory_left(t: &TestServer) -> usize {
    let metrics = t.metrics().await;
    let name = "longshore_body_memory_free_bytes ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn one_connection_too_many_is_told_to_come_back() {
    let t = TestServer::with(|config| config.limits.connections = Some(2)).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut connection = t.connect().await;
        connection
            .send(t.request("GET", "/healthz"))
            .await
            .expect(200);
        held.push(connection);
    }
    let refused = t.get("/healthz").await.expect(503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    drop(held);
    // The server learns of closed connections in its own time.
    while t.get("/healthz").await.status == 503 {}
    t.get("/healthz").await.expect(200);
}

#[tokio::test]
async fn a_manifest_that_is_too_large_is_413() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    let put = |length: usize| {
        t.v2(&password, "PUT", "app/manifests/v1")
            .body(vec![b' '; length])
            .send()
    };
    let announced = put(5 * 1024 * 1024).await.expect(413);
    assert_eq!(announced.error().0, "MANIFEST_INVALID");
    put(4 * 1024 * 1024).await.expect(400);
    let mut chunked = t.connect().await;
    let head = format!(
        "PUT /v2/app/manifests/v1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {password}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    chunked.write(head.as_bytes()).await;
    let piece = [b"100000\r\n".as_slice(), &vec![b' '; 1024 * 1024], b"\r\n"].concat();
    for _ in 0..5 {
        chunked.write(&piece).await;
    }
    chunked.answer(false).await.unwrap().expect(413);
}

#[tokio::test]
async fn an_api_body_that_is_too_large_is_413() {
    let t = TestServer::start().await;
    let input = json!({ "repositoryName": "a".repeat(4_000_000) });
    let refused = t.aws("CreateRepository", &input).await.expect(413);
    assert_eq!(refused.fault(), "RequestEntityTooLargeException");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let t = TestServer::with(|config| config.limits.stall = Duration::from_millis(300)).await;
    t.create("app").await;
    let password = t.password().await;
    // More than the buffers of both sockets hold.
    let digest = t
        .push_blob(&password, "app", &vec![7; 32 * 1024 * 1024])
        .await;
    let mut connection = t.connect().await;
    let get = format!(
        "GET /v2/app/blobs/{digest} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {password}\r\n\r\n"
    );
    connection.write(get.as_bytes()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let answer = connection.answer(false).await.unwrap().expect(200);
    assert!(!answer.is_whole);
}

#[tokio::test]
async fn one_open_upload_too_many_is_told_to_come_back() {
    let t = TestServer::with(|config| {
        config.limits.open_uploads = 2.try_into().unwrap();
        config.metrics_listen = Some("127.0.0.1:0".to_owned());
    })
    .await;
    t.create("app").await;
    let password = t.password().await;
    let start = || t.v2(&password, "POST", "app/blobs/uploads/").send();
    let first = start().await.expect(202);
    start().await.expect(202);
    let refused = start().await.expect(429);
    assert_eq!(refused.error().0, "TOOMANYREQUESTS");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let initiate = json!({ "repositoryName": "app" });
    let refused = t.aws("InitiateLayerUpload", &initiate).await.expect(400);
    assert_eq!(refused.fault(), "ThrottlingException");
    t.push_blob(&password, "app", b"in one request").await;
    assert!(t.metrics().await.contains("longshore_open_uploads 2\n"));
    let upload = first.header("location").unwrap();
    let cancel = t.request("DELETE", upload).bearer(&password);
    cancel.send().await.expect(204);
    t.aws("InitiateLayerUpload", &initiate).await.expect(200);
}

#[tokio::test]
async fn a_call_over_its_rate_quota_is_told_to_come_back() {
    let t = TestServer::with(|config| {
        config.rate_quotas = vec!["PutImage=0.01:2".parse().unwrap()];
        config.metrics_listen = Some("127.0.0.1:0".to_owned());
    })
    .await;
    t.create("app").await;
    let password = t.password().await;
    t.push(&password, "app", "v1", &Image::new("one", 1)).await;
    t.push(&password, "app", "v2", &Image::new("two", 1)).await;
    let put = t.v2(&password, "PUT", "app/manifests/v3").body("{}");
    let refused = put.send().await.expect(429);
    let expected = ("TOOMANYREQUESTS".to_owned(), "Rate exceeded".to_owned());
    assert_eq!(refused.error(), expected);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=100).contains(&wait), "{wait}");
    let input = json!({ "repositoryName": "app", "imageManifest": "{}" });
    let refused = t.aws("PutImage", &input).await.expect(400);
    assert_eq!(refused.fault(), "ThrottlingException");
    assert_eq!(refused.json()["message"], "Rate exceeded");
    let counted = "longshore_throttled_calls_total{action=\"ecr:PutImage\",per=\"account\"} 2";
    let metrics = t.metrics().await;
    assert!(metrics.contains(counted), "{metrics}");
}

use crate::harness::{TestServer, storage};

#[tokio::test]
async fn health_and_readiness_need_no_credentials() {
    let t = TestServer::start().await;
    for path in ["/healthz", "/readyz"] {
        t.get(path).await.expect(200);
        t.request("HEAD", path).send().await.expect(200);
        t.request("POST", path).send().await.expect(405);
    }
}

#[tokio::test]
async fn a_server_whose_blobs_are_gone_is_alive_but_not_ready() {
    let t = TestServer::start().await;
    std::fs::remove_dir_all(storage::blobs_dir(t.data_dir())).unwrap();
    t.get("/healthz").await.expect(200);
    // What was just found out about a bucket holds for a moment.
    while t.get("/readyz").await.status == 200 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    t.get("/readyz").await.expect(503);
}

#[tokio::test]
async fn metrics_are_served_apart_and_only_when_asked_for() {
    let t = TestServer::with(|config| config.metrics_listen = Some("127.0.0.1:0".to_owned())).await;
    t.get("/v2/").await.expect(401);
    t.get("/metrics").await.expect(404);
    let metrics = t.metrics().await;
    let counted = r#"longshore_http_requests_total{route="ping",method="GET",status="401"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
    assert!(
        metrics.contains("longshore_metadata_wal_bytes "),
        "{metrics}"
    );
    assert!(metrics.ends_with("# EOF\n"));
    assert_eq!(TestServer::start().await.running.metrics_address, None);
}

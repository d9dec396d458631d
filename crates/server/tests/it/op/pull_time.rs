use serde_json::{Value, json};

use crate::harness::{Image, TestServer};

async fn pulled(t: &TestServer) -> Value {
    let input = json!({"repositoryName": "app"});
    let described = t.aws("DescribeImages", &input).await.expect(200).json();
    described["imageDetails"][0]["lastRecordedPullTime"].clone()
}

#[tokio::test]
async fn a_pull_over_v2_outlives_a_server_that_stops() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    t.push(&password, "app", "v1", &Image::new("one", 1)).await;
    t.v2(&password, "HEAD", "app/manifests/v1")
        .send()
        .await
        .expect(200);
    let t = t.restart().await;
    assert_eq!(pulled(&t).await, Value::Null);
    t.v2(&password, "GET", "app/manifests/v1")
        .send()
        .await
        .expect(200);
    let t = t.restart().await;
    assert!(pulled(&t).await.is_number());
}

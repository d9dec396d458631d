use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::harness::TestServer;

#[tokio::test]
async fn an_answer_carries_type_and_request_id() {
    let t = TestServer::start().await;
    let answer = t.aws("DescribeRegistry", &json!({})).await.expect(200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/x-amz-json-1.1")
    );
    assert_eq!(answer.header("x-amzn-requestid").map(str::len), Some(36));
    assert_eq!(answer.json()["registryId"], "000000000000");
}

#[tokio::test]
async fn an_error_names_its_type() {
    let t = TestServer::start().await;
    let answer = t
        .aws("DescribeImages", &json!({ "repositoryName": "absent" }))
        .await
        .expect(400);
    assert_eq!(answer.fault(), "RepositoryNotFoundException");
    let text =
        "The repository with name 'absent' does not exist in the registry with id '000000000000'";
    assert_eq!(answer.json()["message"], text);
}

#[tokio::test]
async fn what_is_not_signed_is_refused() {
    let t = TestServer::start().await;
    let unsigned = t
        .call("DescribeRegistry", &json!({}))
        .send()
        .await
        .expect(400);
    assert_eq!(unsigned.fault(), "MissingAuthenticationTokenException");
}

#[tokio::test]
async fn what_is_signed_wrongly_is_refused() {
    let t = TestServer::start().await;
    let mut changed = t.sign(t.call("DescribeRegistry", &json!({})));
    changed.body = b"{ }".to_vec();
    assert_eq!(
        changed.send().await.expect(400).fault(),
        "InvalidSignatureException"
    );
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let late = now.checked_sub(Duration::from_hours(1)).unwrap();
    let late = t
        .sign_at(t.call("DescribeRegistry", &json!({})), late)
        .send()
        .await
        .expect(400);
    assert_eq!(late.fault(), "InvalidSignatureException");
    assert!(
        late.json()["message"]
            .as_str()
            .unwrap()
            .starts_with("Signature expired")
    );
    let other = t
        .sign_for(t.call("DescribeRegistry", &json!({})), "us-east-1", "s3")
        .send()
        .await
        .expect(400);
    assert_eq!(other.fault(), "InvalidSignatureException");
    let session = t
        .call("DescribeRegistry", &json!({}))
        .header("X-Amz-Security-Token", "session");
    assert_eq!(
        t.sign(session).send().await.expect(403).fault(),
        "UnrecognizedClientException"
    );
}

#[tokio::test]
async fn an_unknown_key_is_unrecognized() {
    let mut t = TestServer::start().await;
    t.credentials.key.id = "AKIAUNKNOWN".to_owned();
    let answer = t.aws("DescribeRegistry", &json!({})).await.expect(403);
    assert_eq!(answer.fault(), "UnrecognizedClientException");
}

#[tokio::test]
async fn operations_and_services_that_are_not_there_say_so() {
    let t = TestServer::start().await;
    let answer = t.aws("NoSuchOperation", &json!({})).await.expect(404);
    assert_eq!(answer.fault(), "UnknownOperationException");
    let public = t
        .request("POST", "/")
        .header("X-Amz-Target", "SpencerFrontendService.NoSuchOperation")
        .body("{}");
    let answer = t
        .sign_for(public, "us-east-1", "ecr-public")
        .send()
        .await
        .expect(404);
    assert_eq!(answer.fault(), "UnknownOperationException");
}

#[tokio::test]
async fn a_signed_call_goes_by_its_scope_whatever_its_path() {
    let t = TestServer::start().await;
    let mut call = t.call("DescribeRegistry", &json!({}));
    call.target = "/some/path".to_owned();
    t.sign(call).send().await.expect(200);
}

#[tokio::test]
async fn the_region_is_the_one_signed_for() {
    let t = TestServer::start().await;
    let call = t.call("CreateRepository", &json!({ "repositoryName": "app" }));
    let made = t
        .sign_for(call, "eu-west-1", "ecr")
        .send()
        .await
        .expect(200)
        .json();
    let arn = "arn:aws:ecr:eu-west-1:000000000000:repository/app";
    assert_eq!(made["repository"]["repositoryArn"], arn);
    let here = t
        .aws("DescribeRepositories", &json!({}))
        .await
        .expect(200)
        .json();
    assert_eq!(here["repositories"], json!([]));
}

#[tokio::test]
async fn a_body_that_is_no_json_is_a_serialization_error() {
    let t = TestServer::start().await;
    let mut call = t.call("CreateRepository", &json!({}));
    call.body = b"{".to_vec();
    assert_eq!(
        t.sign(call).send().await.expect(400).fault(),
        "SerializationException"
    );
}

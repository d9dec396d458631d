//! Pulls without a name.

use serde_json::{Value, json};

use crate::harness::{Answer, Image, TestServer};

const PRIVATE: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";
const PULL: [&str; 3] = [
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:ListImages",
];

fn everybody(condition: &Value) -> Value {
    let mut statement = json!({"Effect": "Allow", "Principal": "*", "Action": PULL});
    if !condition.is_null() {
        statement["Condition"] = condition.clone();
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

impl TestServer {
    async fn open(&self, repository: &str, condition: &Value) {
        let text = everybody(condition).to_string();
        let input = json!({"repositoryName": repository, "policyText": text});
        self.aws("SetRepositoryPolicy", &input).await.expect(200);
    }
}

/// Two repositories with the same image; returns the image's digest and one of a layer.
async fn scene(t: &TestServer) -> (String, String) {
    let password = t.password().await;
    let image = Image::new("one", 1);
    for repository in ["open", "closed"] {
        t.create(repository).await;
        t.push(&password, repository, "v1", &image).await;
    }
    let layer = crate::harness::digest_of(image.blobs().last().unwrap());
    (crate::harness::digest_of(&image.manifest()), layer)
}

fn assert_challenged(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 401, "{what}");
    assert!(answer.header("www-authenticate").is_some(), "{what}");
}

#[tokio::test]
async fn what_a_policy_opens_is_pulled_without_a_name_and_nothing_else_is() {
    let t = TestServer::start().await;
    let (digest, layer) = scene(&t).await;
    t.open("open", &Value::Null).await;
    let token = t.get("/token/").await.expect(200).json();
    let token = token["token"].as_str().unwrap().to_owned();
    for path in [
        "manifests/v1".to_owned(),
        format!("manifests/{digest}"),
        format!("blobs/{layer}"),
        "tags/list".to_owned(),
        format!("referrers/{digest}"),
    ] {
        for method in ["GET", "HEAD"] {
            if method == "HEAD" && !path.starts_with("manifests") && !path.starts_with("blobs") {
                continue;
            }
            for (repository, status) in [("open", 200), ("closed", 401), ("absent", 401)] {
                let target = format!("/v2/{repository}/{path}");
                let bare = t.request(method, &target).send().await;
                assert_eq!(bare.status, status, "{method} {target}");
                let by_token = t.request(method, &target).bearer(&token).send().await;
                assert_eq!(by_token.status, status, "{method} {target} with a token");
                assert_eq!(
                    by_token.header("www-authenticate").is_some(),
                    status == 401,
                    "{target}"
                );
            }
        }
    }
    // What an open repository has not is not there, of which nobody may know.
    let absent = t.get("/v2/open/manifests/v2").await.expect(404);
    assert_eq!(absent.error().0, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn nobody_pushes_deletes_or_lists_repositories() {
    let t = TestServer::start().await;
    let (digest, layer) = scene(&t).await;
    let all = json!({"Effect": "Allow", "Principal": "*", "Action": "ecr:*"});
    let text = json!({"Version": "2012-10-17", "Statement": [all]}).to_string();
    let input = json!({"repositoryName": "open", "policyText": text});
    t.aws("SetRepositoryPolicy", &input).await.expect(200);
    for (method, path) in [
        ("GET", String::new()),
        ("GET", "_catalog".to_owned()),
        ("POST", "open/blobs/uploads/".to_owned()),
        (
            "POST",
            format!("open/blobs/uploads/?mount={layer}&from=closed"),
        ),
        ("POST", format!("open/blobs/uploads/?digest={layer}")),
        ("PUT", "open/manifests/v2".to_owned()),
        ("DELETE", "open/manifests/v1".to_owned()),
        ("DELETE", format!("open/manifests/{digest}")),
        ("DELETE", format!("open/blobs/{layer}")),
    ] {
        let refused = t.request(method, &format!("/v2/{path}")).send().await;
        assert_challenged(&refused, &format!("{method} {path}"));
    }
}

#[tokio::test]
async fn a_private_host_serves_the_same_under_its_own_challenge() {
    let t = TestServer::start().await;
    scene(&t).await;
    t.open("open", &Value::Null).await;
    let get = |repository: &str| {
        let target = format!("/v2/{repository}/manifests/v1");
        t.request("GET", &target).host(PRIVATE).send()
    };
    get("open").await.expect(200);
    let refused = get("closed").await.expect(401);
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Basic "), "{challenge}");
    // Another account's host leads to another registry.
    let other = PRIVATE.replace("000000000000", "999999999999");
    let target = "/v2/open/manifests/v1";
    t.request("GET", target)
        .host(&other)
        .send()
        .await
        .expect(401);
}

#[tokio::test]
async fn conditions_are_asked_about_the_request_itself() {
    let t = TestServer::start().await;
    scene(&t).await;
    for (operator, key, right, wrong) in [
        ("IpAddress", "aws:SourceIp", "127.0.0.0/8", "10.0.0.0/8"),
        ("Bool", "aws:SecureTransport", "false", "true"),
        ("StringEquals", "aws:UserAgent", "skopeo/1", "skopeo/2"),
        ("StringEquals", "aws:Referer", "here", "there"),
    ] {
        for (value, status) in [(right, 200), (wrong, 401)] {
            t.open("open", &json!({operator: {key: value}})).await;
            let answer = t
                .request("GET", "/v2/open/manifests/v1")
                .header("User-Agent", "skopeo/1")
                .header("Referer", "here")
                .send()
                .await;
            assert_eq!(answer.status, status, "{key} {value}");
        }
    }
}

#[tokio::test]
async fn a_name_without_permission_is_denied_in_iams_words_and_not_challenged() {
    let t = TestServer::start().await;
    scene(&t).await;
    let password = t.password().await;
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage"});
    let text = json!({"Version": "2012-10-17", "Statement": [deny]}).to_string();
    let input = json!({"repositoryName": "closed", "policyText": text});
    t.aws("SetRepositoryPolicy", &input).await.expect(200);
    let denied = t
        .v2(&password, "GET", "closed/manifests/v1")
        .send()
        .await
        .expect(403);
    assert!(denied.header("www-authenticate").is_none());
    let expected = "User: arn:aws:iam::000000000000:root is not authorized to perform: ecr:BatchGetImage on resource: \
                    arn:aws:ecr:us-east-1:000000000000:repository/closed with an explicit deny in a resource-based policy";
    assert_eq!(denied.error(), ("DENIED".to_owned(), expected.to_owned()));
    let denied = t
        .aws(
            "BatchGetImage",
            &json!({"repositoryName": "closed", "imageIds": [{"imageTag": "v1"}]}),
        )
        .await
        .expect(400);
    let body = denied.json();
    assert_eq!(body["__type"], "AccessDeniedException");
    assert_eq!(body["message"], expected);
}

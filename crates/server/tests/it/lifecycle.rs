//! Lifecycle policies on a running server, which runs them by itself.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Account, Image, Signer, TestServer};

/// Longer than any run of a few images takes.
const TRIES: usize = 600;

async fn wait_until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    for _ in 0..TRIES {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never: {what}");
}

async fn push(account: &Account, tag: &str) -> String {
    let image = Image::new(tag, 1);
    for blob in image.blobs() {
        let digest = crate::harness::digest_of(blob);
        let path = format!("app/blobs/uploads/?digest={digest}");
        let upload = account.v2("POST", &path).body(blob);
        upload.send().await.expect(201);
    }
    let put = account.v2("PUT", &format!("app/manifests/{tag}"));
    let put = put.header("Content-Type", Image::MEDIA_TYPE);
    let put = put.body(image.manifest()).send().await;
    let put = put.expect(201);
    put.header("docker-content-digest").unwrap().to_owned()
}

async fn digests(account: &Account) -> Vec<String> {
    let named = json!({"repositoryName": "app"});
    let images = account.ecr("DescribeImages", &named).await.json();
    let digest = |image: &Value| image["imageDigest"].as_str().unwrap().to_owned();
    images["imageDetails"]
        .as_array()
        .unwrap()
        .iter()
        .map(digest)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_runs_policies_and_what_it_expired_comes_back() {
    let t = TestServer::with(|config| config.lifecycle_interval = Duration::from_secs(1)).await;
    let account = Account::new("000000000000", Signer::root(&t)).await;
    let named = json!({"repositoryName": "app"});
    account.ecr("CreateRepository", &named).await;
    let first = push(&account, "first").await;
    let leased = push(&account, "leased").await;
    let last = push(&account, "last").await;
    let lease = json!({"repositoryName": "app", "imageIds": [{"imageDigest": leased}]});
    account.admin.done("longshore", "LeaseImages", &lease).await;
    let policy = json!({"x-longshore-undoHours": 1, "rules": [{"rulePriority": 1, "action": {"type": "expire"},
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1}}]});
    let put = json!({"repositoryName": "app", "lifecyclePolicyText": policy.to_string()});
    account.ecr("PutLifecyclePolicy", &put).await;
    wait_until("the first image goes", || async {
        digests(&account).await.len() == 2
    })
    .await;
    let left = digests(&account).await;
    assert!(left.contains(&leased) && left.contains(&last), "{left:?}");
    account
        .v2("GET", "app/manifests/first")
        .send()
        .await
        .expect(404);
    account
        .v2("GET", &format!("app/manifests/{first}"))
        .send()
        .await
        .expect(404);
    wait_until("the run is over", || async {
        let got = account.ecr("GetLifecyclePolicy", &named).await.json();
        got["lastEvaluatedAt"].as_f64().unwrap() > 0.0
    })
    .await;
    account.ecr("DeleteLifecyclePolicy", &named).await;
    let listed = account.admin.done("longshore", "ListExpiredImages", &named);
    let listed = listed.await.json();
    assert_eq!(listed["expiredImages"][0]["imageDigest"], json!(first));
    let restore = json!({"repositoryName": "app", "imageIds": [{"imageDigest": first}]});
    let restored = account
        .admin
        .done("longshore", "RestoreExpiredImages", &restore);
    let restored = restored.await.json();
    assert_eq!(restored["images"][0]["imageTags"], json!(["first"]));
    account
        .v2("GET", "app/manifests/first")
        .send()
        .await
        .expect(200);
    assert_eq!(digests(&account).await.len(), 3);
}

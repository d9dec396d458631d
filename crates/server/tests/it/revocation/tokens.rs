//! How long registry tokens are good, and where.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::Scene;
use crate::harness::{Signer, basic};

const FULL_ACCESS: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryFullAccess";

/// How many seconds a fresh password is good for, as the answer tells.
async fn life(signer: &Signer) -> f64 {
    let before = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    let answer = signer
        .done("ecr", "GetAuthorizationToken", &json!({}))
        .await;
    let data: Value = answer.json();
    data["authorizationData"][0]["expiresAt"].as_f64().unwrap() - before
}

#[tokio::test]
async fn a_password_is_good_for_twelve_hours_but_never_past_its_session() {
    let scene = Scene::new().await;
    let alice = scene.ours.user("alice").await;
    scene.ours.attach("alice", FULL_ACCESS).await;
    let whole = life(&alice).await;
    assert!((43_199.0..43_300.0).contains(&whole), "{whole}");
    scene.ours.role("ci").await;
    scene.ours.attach_role("ci", FULL_ACCESS).await;
    let assume = json!({ "RoleArn": scene.ours.arn("role/ci"), "RoleSessionName": "run", "DurationSeconds": 900 });
    let session = scene.ours.assumer.done("sts", "AssumeRole", &assume).await;
    let session = life(&scene.ours.admin.of(&session)).await;
    assert!((800.0..=900.0).contains(&session), "{session}");
    let lent = json!({ "Name": "fed", "DurationSeconds": 900, "Policy": super::pulls() });
    let federate = json!({ "UserName": "alice", "PolicyName": "p", "PolicyDocument":
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:GetFederationToken","Resource":"*"}}"# });
    scene.ours.iam("PutUserPolicy", &federate).await;
    let lent = alice.done("sts", "GetFederationToken", &lent).await;
    let lent = life(&alice.of(&lent)).await;
    assert!((800.0..=900.0).contains(&lent), "{lent}");
}

#[tokio::test]
async fn a_password_is_good_on_every_accounts_host_of_its_region() {
    let scene = Scene::new().await;
    let theirs = scene.ours.another("theirs").await;
    theirs
        .ecr("CreateRepository", &json!({ "repositoryName": "app" }))
        .await;
    let open = json!({ "repositoryName": "app", "policyText": json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": { "AWS": scene.ours.id }, "Action": "ecr:ListImages" } }).to_string() });
    theirs.ecr("SetRepositoryPolicy", &open).await;
    let alice = scene.ours.user("alice").await;
    scene.ours.attach("alice", FULL_ACCESS).await;
    // Whichever registry is asked for, the password is the caller's.
    let ask = json!({ "registryIds": [theirs.id] });
    let asked = alice.done("ecr", "GetAuthorizationToken", &ask).await;
    let endpoint = asked.json()["authorizationData"][0]["proxyEndpoint"].clone();
    assert!(
        endpoint.as_str().unwrap().contains(&theirs.host()),
        "{endpoint}"
    );
    for password in [crate::harness::password_of(&asked), alice.password().await] {
        let get = async |host: &str, path: &str| {
            let request = alice.request("GET", path).host(host);
            request
                .header("Authorization", basic("AWS", &password))
                .send()
                .await
                .status
        };
        for host in [
            scene.ours.host(),
            theirs.host(),
            "999999999999.dkr.ecr.us-east-1.amazonaws.com".to_owned(),
        ] {
            assert_eq!(get(&host, "/v2/").await, 200, "{host}");
        }
        assert_eq!(get(&scene.ours.host(), "/v2/app/tags/list").await, 200);
        assert_eq!(get(&theirs.host(), "/v2/app/tags/list").await, 200);
        assert_eq!(get(&theirs.host(), "/v2/app/manifests/v1").await, 403);
        let elsewhere = scene.ours.host().replace("us-east-1", "eu-central-1");
        assert_eq!(get(&elsewhere, "/v2/").await, 401);
    }
}

//! Repositories, and the policies of repositories and registries.

use serde_json::json;

use super::{ALLOWED, DENIED, Scene, Witness, fill};
use crate::harness::Account;

const PULL_ONLY: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly";

/// A policy that opens pulls to an account.
fn opens_to(account: &Account) -> String {
    json!({ "Version": "2012-10-17", "Statement": { "Sid": "open", "Effect": "Allow",
        "Principal": { "AWS": account.arn("root") },
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"] } })
    .to_string()
}

/// Somebody of another account who may pull ours by a policy of the repository.
async fn guest(scene: &Scene) -> (Account, Witness) {
    let theirs = scene.ours.another("theirs").await;
    let bob = theirs.user("bob").await;
    theirs.attach("bob", PULL_ONLY).await;
    let open = json!({ "repositoryName": "app", "policyText": opens_to(&theirs) });
    scene.ours.ecr("SetRepositoryPolicy", &open).await;
    let bob = scene.witness(&bob).await;
    (theirs, bob)
}

#[tokio::test]
async fn a_repositorys_policy_ends_when_it_is_deleted_or_replaced() {
    let scene = Scene::new().await;
    let (theirs, bob) = guest(&scene).await;
    let of = json!({ "repositoryName": "app" });
    bob.sees("DeleteRepositoryPolicy", &of, &scene.ours, "ecr", DENIED)
        .await;
    let open = json!({ "repositoryName": "app", "policyText": opens_to(&theirs) });
    scene.ours.ecr("SetRepositoryPolicy", &open).await;
    let denies = opens_to(&theirs).replace("Allow", "Deny");
    let close = json!({ "repositoryName": "app", "policyText": denies });
    bob.sees("SetRepositoryPolicy", &close, &scene.ours, "ecr", DENIED)
        .await;
}

#[tokio::test]
async fn a_repository_that_is_made_again_is_another() {
    let scene = Scene::new().await;
    let (_, bob) = guest(&scene).await;
    let old = scene
        .ours
        .v2("POST", "app/blobs/uploads/")
        .send()
        .await
        .expect(202);
    let upload = old.header("docker-upload-uuid").unwrap().to_owned();
    let owner = scene.witness(&scene.ours.admin).await;
    let delete = json!({ "repositoryName": "app", "force": true });
    bob.sees(
        "DeleteRepository",
        &delete,
        &scene.ours,
        "ecr",
        [400, 403, 403, 404],
    )
    .await;
    // The same image under the same name: neither the policy nor what was handed out before is for it.
    fill(&scene.ours).await;
    let again = bob.statuses().await;
    assert_eq!(again, [400, 403, 403, 404]);
    assert_eq!(owner.statuses().await, [200, 200, 200, 404]);
    for method in ["PATCH", "GET", "DELETE"] {
        let path = format!("app/blobs/uploads/{upload}");
        scene
            .ours
            .v2(method, &path)
            .body("x")
            .send()
            .await
            .expect(404);
    }
}

#[tokio::test]
async fn a_registrys_policy_acts_and_ends_at_once() {
    let scene = Scene::new().await;
    let (theirs, bob) = guest(&scene).await;
    scene
        .ours
        .ecr(
            "DeleteRepositoryPolicy",
            &json!({ "repositoryName": "app" }),
        )
        .await;
    assert_eq!(bob.statuses().await, DENIED);
    let mut policy: serde_json::Value = serde_json::from_str(&opens_to(&theirs)).unwrap();
    policy["Statement"]["Resource"] = json!(scene.ours.repository_arn("*"));
    let put = json!({ "policyText": policy.to_string() });
    scene.ours.ecr("PutRegistryPolicy", &put).await;
    assert_eq!(bob.statuses().await, ALLOWED);
    bob.sees(
        "DeleteRegistryPolicy",
        &json!({}),
        &scene.ours,
        "ecr",
        DENIED,
    )
    .await;
    scene.ours.ecr("PutRegistryPolicy", &put).await;
    // A policy about other repositories is none for this one.
    policy["Statement"]["Resource"] = json!(scene.ours.repository_arn("other"));
    let elsewhere = json!({ "policyText": policy.to_string() });
    bob.sees("PutRegistryPolicy", &elsewhere, &scene.ours, "ecr", DENIED)
        .await;
}

#[tokio::test]
async fn tags_that_a_policy_asks_for_act_at_once() {
    let scene = Scene::new().await;
    let alice = scene.ours.user("alice").await;
    let arn = scene.ours.repository_arn("app");
    let tag =
        |value: &str| json!({ "resourceArn": arn, "tags": [{ "Key": "team", "Value": value }] });
    scene.ours.ecr("TagResource", &tag("red")).await;
    let red = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*","Action":"ecr:GetAuthorizationToken"},
        {"Effect":"Allow","Resource":"*","Action":"ecr:*","Condition":{"StringEquals":{"ecr:ResourceTag/team":"red"}}}]}"#;
    let put = json!({ "UserName": "alice", "PolicyName": "p", "PolicyDocument": red });
    scene.ours.iam("PutUserPolicy", &put).await;
    let alice = scene.witness(&alice).await;
    alice
        .sees("TagResource", &tag("blue"), &scene.ours, "ecr", DENIED)
        .await;
    scene.ours.ecr("TagResource", &tag("red")).await;
    let untag = json!({ "resourceArn": arn, "tagKeys": ["team"] });
    alice
        .sees("UntagResource", &untag, &scene.ours, "ecr", DENIED)
        .await;
}

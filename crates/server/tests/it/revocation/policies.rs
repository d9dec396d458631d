//! Policies of users, groups and roles.

use serde_json::json;

use super::{ALLOWED, DENIED, Scene, Witness, no_pulls, pulls};

const PULL_ONLY: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly";

/// A user who may pull by a policy of AWS's.
async fn puller(scene: &Scene) -> Witness {
    let alice = scene.ours.user("alice").await;
    scene.ours.attach("alice", PULL_ONLY).await;
    scene.witness(&alice).await
}

#[tokio::test]
async fn a_detached_policy_allows_no_more() {
    let scene = Scene::new().await;
    let alice = puller(&scene).await;
    let policy = json!({ "UserName": "alice", "PolicyArn": PULL_ONLY });
    alice
        .sees("DetachUserPolicy", &policy, &scene.ours, "iam", DENIED)
        .await;
    scene.ours.attach("alice", PULL_ONLY).await;
    assert_eq!(alice.statuses().await, ALLOWED);
}

#[tokio::test]
async fn an_inline_policy_that_is_deleted_or_put_anew_acts_at_once() {
    let scene = Scene::new().await;
    let alice = scene.ours.user("alice").await;
    let put = |document: String| json!({ "UserName": "alice", "PolicyName": "p", "PolicyDocument": document });
    scene.ours.iam("PutUserPolicy", &put(pulls())).await;
    let alice = scene.witness(&alice).await;
    alice
        .sees(
            "PutUserPolicy",
            &put(no_pulls()),
            &scene.ours,
            "iam",
            DENIED,
        )
        .await;
    scene.ours.iam("PutUserPolicy", &put(pulls())).await;
    let policy = json!({ "UserName": "alice", "PolicyName": "p" });
    alice
        .sees("DeleteUserPolicy", &policy, &scene.ours, "iam", DENIED)
        .await;
}

#[tokio::test]
async fn another_version_of_a_policy_acts_at_once() {
    let scene = Scene::new().await;
    let create = json!({ "PolicyName": "pulls", "PolicyDocument": pulls() });
    scene.ours.iam("CreatePolicy", &create).await;
    let arn = scene.ours.arn("policy/pulls");
    let alice = scene.ours.user("alice").await;
    scene.ours.attach("alice", &arn).await;
    let alice = scene.witness(&alice).await;
    let version = json!({ "PolicyArn": arn, "PolicyDocument": no_pulls(), "SetAsDefault": true });
    alice
        .sees("CreatePolicyVersion", &version, &scene.ours, "iam", DENIED)
        .await;
    let first = json!({ "PolicyArn": arn, "VersionId": "v1" });
    scene.ours.iam("SetDefaultPolicyVersion", &first).await;
    let second = json!({ "PolicyArn": arn, "VersionId": "v2" });
    alice
        .sees(
            "SetDefaultPolicyVersion",
            &second,
            &scene.ours,
            "iam",
            DENIED,
        )
        .await;
}

#[tokio::test]
async fn whoever_left_a_group_has_nothing_of_its_policies() {
    let scene = Scene::new().await;
    let alice = scene.ours.user("alice").await;
    let group = json!({ "GroupName": "team" });
    scene.ours.iam("CreateGroup", &group).await;
    let attach = json!({ "GroupName": "team", "PolicyArn": PULL_ONLY });
    scene.ours.iam("AttachGroupPolicy", &attach).await;
    let member = json!({ "GroupName": "team", "UserName": "alice" });
    scene.ours.iam("AddUserToGroup", &member).await;
    let alice = scene.witness(&alice).await;
    alice
        .sees("RemoveUserFromGroup", &member, &scene.ours, "iam", DENIED)
        .await;
    scene.ours.iam("AddUserToGroup", &member).await;
    alice
        .sees("DetachGroupPolicy", &attach, &scene.ours, "iam", DENIED)
        .await;
}

#[tokio::test]
async fn a_boundary_bounds_at_once() {
    let scene = Scene::new().await;
    let alice = puller(&scene).await;
    let iam = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    let boundary = json!({ "UserName": "alice", "PermissionsBoundary": iam });
    alice
        .sees(
            "PutUserPermissionsBoundary",
            &boundary,
            &scene.ours,
            "iam",
            DENIED,
        )
        .await;
    let user = json!({ "UserName": "alice" });
    scene.ours.iam("DeleteUserPermissionsBoundary", &user).await;
    assert_eq!(alice.statuses().await, ALLOWED);
}

#[tokio::test]
async fn a_roles_sessions_lose_what_the_role_loses() {
    let scene = Scene::new().await;
    scene.ours.role("ci").await;
    scene.ours.attach_role("ci", PULL_ONLY).await;
    let session = scene
        .witness(&scene.ours.assume("ci", "run", None).await)
        .await;
    let policy = json!({ "RoleName": "ci", "PolicyArn": PULL_ONLY });
    session
        .sees("DetachRolePolicy", &policy, &scene.ours, "iam", DENIED)
        .await;
    scene.ours.attach_role("ci", PULL_ONLY).await;
    let boundary = json!({ "RoleName": "ci", "PermissionsBoundary": "arn:aws:iam::aws:policy/IAMReadOnlyAccess" });
    session
        .sees(
            "PutRolePermissionsBoundary",
            &boundary,
            &scene.ours,
            "iam",
            DENIED,
        )
        .await;
}

#[tokio::test]
async fn a_policy_that_a_session_was_made_with_bounds_it_as_it_is_now() {
    let scene = Scene::new().await;
    scene.ours.role("ci").await;
    scene.ours.attach_role("ci", PULL_ONLY).await;
    let create = json!({ "PolicyName": "narrow", "PolicyDocument": pulls() });
    scene.ours.iam("CreatePolicy", &create).await;
    let arn = scene.ours.arn("policy/narrow");
    let assume = json!({ "RoleArn": scene.ours.arn("role/ci"), "RoleSessionName": "run", "PolicyArns": [{ "arn": arn }] });
    let session = scene.ours.assumer.done("sts", "AssumeRole", &assume).await;
    let session = scene.witness(&scene.ours.admin.of(&session)).await;
    let version = json!({ "PolicyArn": arn, "PolicyDocument": no_pulls(), "SetAsDefault": true });
    session
        .sees("CreatePolicyVersion", &version, &scene.ours, "iam", DENIED)
        .await;
}

//! Access keys, users, roles and who may become them.

use serde_json::json;

use super::{ALLOWED, GONE, Scene};

const PULL_ONLY: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly";
/// The key is not good any more; what the user made with it stands for the user.
const KEY_GONE: super::Statuses = [403, 200, 200, 200];

#[tokio::test]
async fn a_key_signs_no_more_once_it_is_inactive_or_deleted() {
    let scene = Scene::new().await;
    let signer = scene.ours.user("alice").await;
    scene.ours.attach("alice", PULL_ONLY).await;
    let alice = scene.witness(&signer).await;
    let key = &signer.person.key.id;
    let status =
        |status: &str| json!({ "UserName": "alice", "AccessKeyId": key, "Status": status });
    alice
        .sees(
            "UpdateAccessKey",
            &status("Inactive"),
            &scene.ours,
            "iam",
            KEY_GONE,
        )
        .await;
    scene.ours.iam("UpdateAccessKey", &status("Active")).await;
    let of_user = json!({ "UserName": "alice", "AccessKeyId": key });
    alice
        .sees("DeleteAccessKey", &of_user, &scene.ours, "iam", KEY_GONE)
        .await;
}

#[tokio::test]
async fn nothing_of_a_deleted_user_is_good_nor_of_another_with_the_name() {
    let scene = Scene::new().await;
    let signer = scene.ours.user("alice").await;
    scene.ours.attach("alice", PULL_ONLY).await;
    let alice = scene.witness(&signer).await;
    assert_eq!(alice.statuses().await, ALLOWED);
    scene.ours.detach("alice", PULL_ONLY).await;
    let key = json!({ "UserName": "alice", "AccessKeyId": signer.person.key.id });
    scene.ours.iam("DeleteAccessKey", &key).await;
    scene
        .ours
        .iam("DeleteUser", &json!({ "UserName": "alice" }))
        .await;
    assert_eq!(alice.statuses().await, GONE);
    scene.ours.user("alice").await;
    scene.ours.attach("alice", PULL_ONLY).await;
    assert_eq!(alice.statuses().await, GONE);
}

#[tokio::test]
async fn nothing_of_a_deleted_role_is_good_nor_of_another_with_the_name() {
    let scene = Scene::new().await;
    scene.ours.role("ci").await;
    scene.ours.attach_role("ci", PULL_ONLY).await;
    let session = scene
        .witness(&scene.ours.assume("ci", "run", None).await)
        .await;
    let policy = json!({ "RoleName": "ci", "PolicyArn": PULL_ONLY });
    assert_eq!(session.statuses().await, ALLOWED);
    scene.ours.iam("DetachRolePolicy", &policy).await;
    scene
        .ours
        .iam("DeleteRole", &json!({ "RoleName": "ci" }))
        .await;
    assert_eq!(session.statuses().await, GONE);
    scene.ours.role("ci").await;
    scene.ours.attach_role("ci", PULL_ONLY).await;
    assert_eq!(session.statuses().await, GONE);
}

#[tokio::test]
async fn a_session_of_a_user_ends_with_the_user() {
    let scene = Scene::new().await;
    let signer = scene.ours.user("alice").await;
    scene.ours.attach("alice", PULL_ONLY).await;
    let session = signer.done("sts", "GetSessionToken", &json!({})).await;
    let session = scene.witness(&signer.of(&session)).await;
    assert_eq!(session.statuses().await, ALLOWED);
    scene.ours.detach("alice", PULL_ONLY).await;
    assert_eq!(session.statuses().await, super::DENIED);
    let key = json!({ "UserName": "alice", "AccessKeyId": signer.person.key.id });
    scene.ours.iam("DeleteAccessKey", &key).await;
    scene
        .ours
        .iam("DeleteUser", &json!({ "UserName": "alice" }))
        .await;
    assert_eq!(session.statuses().await, GONE);
}

#[tokio::test]
async fn who_is_not_trusted_any_more_gets_no_new_session() {
    let scene = Scene::new().await;
    scene.ours.role("ci").await;
    scene.ours.attach_role("ci", PULL_ONLY).await;
    let session = scene
        .witness(&scene.ours.assume("ci", "run", None).await)
        .await;
    let nobody = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Deny", "Action": "sts:AssumeRole",
        "Principal": { "AWS": scene.ours.id } } });
    let change = json!({ "RoleName": "ci", "PolicyDocument": nobody.to_string() });
    // The sessions that there are live on, as AWS's do (IAM User Guide, "Revoking IAM role temporary security credentials").
    session
        .sees(
            "UpdateAssumeRolePolicy",
            &change,
            &scene.ours,
            "iam",
            ALLOWED,
        )
        .await;
    let assume = json!({ "RoleArn": scene.ours.arn("role/ci"), "RoleSessionName": "run" });
    let refused = scene.ours.assumer.call("sts", "AssumeRole", &assume).await;
    assert_eq!(refused.expect(403).refusal(), "AccessDenied");
}

#[tokio::test]
async fn sessions_older_than_a_time_are_revoked_as_aws_does_it() {
    let scene = Scene::new().await;
    scene.ours.role("ci").await;
    scene.ours.attach_role("ci", PULL_ONLY).await;
    let session = scene
        .witness(&scene.ours.assume("ci", "run", None).await)
        .await;
    // What the console puts for "revoke active sessions", with a time that has not come, as the clock is real.
    let older = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Deny", "Action": ["*"], "Resource": ["*"],
        "Condition": { "DateLessThan": { "aws:TokenIssueTime": "2999-01-01T00:00:00.000Z" } } }] });
    let put = json!({ "RoleName": "ci", "PolicyName": "AWSRevokeOlderSessions", "PolicyDocument": older.to_string() });
    session
        .sees("PutRolePolicy", &put, &scene.ours, "iam", super::DENIED)
        .await;
}

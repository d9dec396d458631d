//! Roles that are assumed with the session of another: what is handed on is decided as freshly as the rest.

use std::sync::Arc;

use longshore_registry::{
    iam::{role::CreateRole, user::UpdateUser},
    principal::Caller,
    session::{Session, SessionKind},
    sts::{AssumeRole, GetCallerIdentity},
};
use serde_json::json;

use super::people::{People, allow, policy};
use crate::harness::{ACCOUNT, TestCore, name_of};

/// A session of the role with that id, which hands a tag and a source identity on.
async fn session(t: &TestCore, id: &str) -> Caller {
    let session = Session {
        access_key: "ASIACHAINED".to_owned(),
        principal: id.to_owned(),
        kind: SessionKind::AssumedRole,
        name: "run-1".to_owned(),
        policy: None,
        policy_arns: Vec::new(),
        tags: vec![("team".to_owned(), "red".to_owned())],
        transitive: vec!["team".to_owned()],
        source_identity: Some("alice".to_owned()),
        provider: None,
        issued_at: 1_700_000_000_000,
        expires_at: 1_700_003_600_000,
    };
    let core = &t.core;
    let known = core.principals.session(&core.meta, Arc::new(session));
    Caller::Known(known.await.unwrap().unwrap())
}

#[tokio::test]
async fn tags_and_source_identity_are_handed_on_by_what_is_allowed_now() {
    let t = TestCore::start().await;
    let people = People(&t);
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        }],
    });
    t.ok::<CreateRole>(json!({
        "RoleName": "target", "AssumeRolePolicyDocument": trust.to_string(),
    }))
    .await;
    let id = people.role(ACCOUNT, "source").await;
    people.inline(ACCOUNT, &id, "p", &allow("sts:*")).await;
    let source = session(&t, &id).await;
    let outcome = async || {
        let input = json!({
            "RoleArn": format!("arn:aws:iam::{ACCOUNT}:role/target"), "RoleSessionName": "next",
        });
        let answer = t.call_as::<AssumeRole>(source.clone(), input).await;
        answer.map_or_else(|error| name_of(&error), |_| "allowed".to_owned())
    };
    assert_eq!(outcome().await, "allowed");
    for action in ["sts:TagSession", "sts:SetSourceIdentity"] {
        let deny = policy("Deny", action, "*", &json!({}));
        people.inline(ACCOUNT, &id, "deny", &deny).await;
        assert_eq!(outcome().await, "AccessDenied", "{action}");
        people.take(ACCOUNT, &id, "deny").await;
        assert_eq!(outcome().await, "allowed");
    }
}

#[tokio::test]
async fn a_caller_goes_by_the_name_that_it_has_now() {
    let t = TestCore::start().await;
    let people = People(&t);
    let id = people.user(ACCOUNT, "alice").await;
    let alice = people.caller(&id).await;
    let arn = async || {
        let told = t.call_as::<GetCallerIdentity>(alice.clone(), json!({}));
        told.await.unwrap()["Arn"].as_str().unwrap().to_owned()
    };
    assert_eq!(arn().await, format!("arn:aws:iam::{ACCOUNT}:user/alice"));
    t.ok::<UpdateUser>(json!({"UserName": "alice", "NewUserName": "bob"}))
        .await;
    assert_eq!(arn().await, format!("arn:aws:iam::{ACCOUNT}:user/bob"));
}

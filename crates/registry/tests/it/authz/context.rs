use std::net::IpAddr;

use longshore_registry::{
    RequestFacts,
    op::{
        image::ListImages,
        registry::{GetAccountSetting, GetAuthorizationToken, PutAccountSetting},
        repository::CreateRepository,
        resource::{TagResource, UntagResource},
    },
    session::SessionKind,
};
use serde_json::{Value, json};

use super::people::{People, allow, policy};
use crate::harness::{ACCOUNT, TestCore, name_of};

/// A policy that allows `action` under one condition.
fn when(action: &str, operator: &str, key: &str, values: &Value) -> Value {
    policy(
        "Allow",
        action,
        "*",
        &json!({"Condition": {operator: {key: values}}}),
    )
}

#[tokio::test]
async fn conditions_see_who_calls_and_how() {
    let t = TestCore::start().await;
    let people = People(&t);
    let id = people.user(ACCOUNT, "alice").await;
    people.tag(ACCOUNT, &id, "Team", "blue").await;
    let facts = RequestFacts {
        client: Some("203.0.113.7".parse::<IpAddr>().unwrap()),
        is_secure: true,
        user_agent: Some("docker/27"),
        referer: Some("https://ci.example"),
    };
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/alice");
    let organization = &t.core.organization;
    let action = "ecr:GetAuthorizationToken";
    for (operator, key, right, wrong) in [
        ("IpAddress", "aws:SourceIp", "203.0.113.0/24", "10.0.0.0/8"),
        ("Bool", "aws:SecureTransport", "true", "false"),
        ("StringLike", "aws:UserAgent", "docker/*", "podman/*"),
        ("StringEquals", "aws:Referer", "https://ci.example", "x"),
        (
            "StringEquals",
            "aws:RequestedRegion",
            "eu-central-1",
            "us-east-1",
        ),
        (
            "ArnEquals",
            "aws:PrincipalArn",
            &arn,
            "arn:aws:iam::*:role/*",
        ),
        ("StringEquals", "aws:PrincipalAccount", ACCOUNT, "1"),
        ("StringEquals", "aws:PrincipalType", "User", "Account"),
        ("StringEquals", "aws:userid", &id, "x"),
        ("StringEquals", "aws:username", "alice", "bob"),
        ("StringEquals", "aws:PrincipalTag/team", "blue", "red"),
        (
            "StringEquals",
            "aws:PrincipalOrgID",
            &organization.id,
            "o-x",
        ),
        ("StringLike", "aws:PrincipalOrgPaths", "o-*/r-*/", "x"),
        ("StringEquals", "aws:ResourceAccount", ACCOUNT, "1"),
        ("Bool", "aws:ViaAWSService", "false", "true"),
        ("Bool", "aws:PrincipalIsAWSService", "false", "true"),
        ("Null", "aws:TokenIssueTime", "true", "false"),
        ("Null", "aws:MultiFactorAuthPresent", "true", "false"),
        (
            "DateGreaterThan",
            "aws:CurrentTime",
            "2023-11-14T22:13:19Z",
            "2023-11-14T22:13:21Z",
        ),
        ("NumericEquals", "aws:EpochTime", "1700000000", "1"),
    ] {
        for (value, expected) in [(right, true), (wrong, false)] {
            let document = when(action, operator, key, &json!(value));
            people.inline(ACCOUNT, &id, "p", &document).await;
            let alice = people.caller(&id).await;
            let ask: GetAuthorizationToken = serde_json::from_value(json!({})).unwrap();
            let outcome = t.run_with(alice, facts, ask).await;
            assert_eq!(outcome.is_ok(), expected, "{key} {value}: {outcome:?}");
            people.take(ACCOUNT, &id, "p").await;
        }
    }
}

#[tokio::test]
async fn conditions_see_no_more_than_512_characters_of_what_a_client_writes() {
    let t = TestCore::start().await;
    let people = People(&t);
    let id = people.user(ACCOUNT, "alice").await;
    let action = "ecr:GetAuthorizationToken";
    for (end, expected) in [(511, true), (512, false)] {
        let header = format!("{}x", "a".repeat(end));
        for key in ["aws:UserAgent", "aws:Referer"] {
            let facts = RequestFacts {
                user_agent: Some(&header),
                referer: Some(&header),
                ..RequestFacts::default()
            };
            let document = when(action, "StringLike", key, &json!("a*x"));
            people.inline(ACCOUNT, &id, "p", &document).await;
            let alice = people.caller(&id).await;
            let ask: GetAuthorizationToken = serde_json::from_value(json!({})).unwrap();
            let outcome = t.run_with(alice, facts, ask).await;
            assert_eq!(outcome.is_ok(), expected, "{key} {end}");
            people.take(ACCOUNT, &id, "p").await;
        }
    }
}

#[tokio::test]
async fn conditions_see_a_session_for_what_it_is() {
    let t = TestCore::start().await;
    let people = People(&t);
    let role = people.role(ACCOUNT, "ci").await;
    people.tag(ACCOUNT, &role, "Team", "blue").await;
    let user = people.user(ACCOUNT, "alice").await;
    let role_arn = format!("arn:aws:iam::{ACCOUNT}:role/ci");
    let role_id = format!("{role}:run-1");
    let federated = format!("arn:aws:sts::{ACCOUNT}:federated-user/run-1");
    let federated_id = format!("{ACCOUNT}:run-1");
    let assumed = SessionKind::AssumedRole;
    for (id, kind, operator, key, value) in [
        (
            &role,
            assumed,
            "StringEquals",
            "aws:PrincipalArn",
            role_arn.as_str(),
        ),
        (
            &role,
            assumed,
            "StringEquals",
            "aws:PrincipalType",
            "AssumedRole",
        ),
        (&role, assumed, "StringEquals", "aws:userid", &role_id),
        (&role, assumed, "Null", "aws:username", "true"),
        // The session's tag beats the role's, whatever case its key has.
        (
            &role,
            assumed,
            "StringEquals",
            "aws:PrincipalTag/Team",
            "red",
        ),
        (
            &role,
            assumed,
            "DateEquals",
            "aws:TokenIssueTime",
            "2023-11-14T22:13:20Z",
        ),
        (
            &role,
            assumed,
            "Bool",
            "aws:MultiFactorAuthPresent",
            "false",
        ),
        (
            &user,
            SessionKind::SessionToken,
            "StringEquals",
            "aws:username",
            "alice",
        ),
        (
            &user,
            SessionKind::SessionToken,
            "StringEquals",
            "aws:userid",
            &user,
        ),
        (
            &user,
            SessionKind::FederatedUser,
            "StringEquals",
            "aws:PrincipalArn",
            &federated,
        ),
        (
            &user,
            SessionKind::FederatedUser,
            "StringEquals",
            "aws:userid",
            &federated_id,
        ),
        (
            &user,
            SessionKind::FederatedUser,
            "Null",
            "aws:username",
            "true",
        ),
    ] {
        let document = when("ecr:GetAuthorizationToken", operator, key, &json!(value));
        people.inline(ACCOUNT, id, "p", &document).await;
        let whole = allow("*");
        let policy = (kind == SessionKind::FederatedUser).then_some(&whole);
        let caller = people.session(id, kind, policy).await;
        let outcome = t.call_as::<GetAuthorizationToken>(caller, json!({})).await;
        assert!(outcome.is_ok(), "{kind:?} {key}: {outcome:?}");
        people.take(ACCOUNT, id, "p").await;
    }
}

#[tokio::test]
async fn conditions_see_the_tags_that_a_request_gives_and_takes() {
    let t = TestCore::start().await;
    let people = People(&t);
    let id = people.user(ACCOUNT, "alice").await;
    let team_red = json!({
        "StringEquals": {"aws:RequestTag/team": "red"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["team", "cost"]},
    });
    let document = policy("Allow", "ecr:*", "*", &json!({"Condition": team_red}));
    people.inline(ACCOUNT, &id, "p", &document).await;
    let alice = people.caller(&id).await;
    let list = |tags: &[(&str, &str)]| {
        let tag = |(key, value): &(&str, &str)| json!({"Key": key, "Value": value});
        Value::Array(tags.iter().map(tag).collect())
    };
    let create = async |name: &str, tags: &[(&str, &str)]| {
        let input = json!({"repositoryName": name, "tags": list(tags)});
        let made = t.call_as::<CreateRepository>(alice.clone(), input).await;
        made.is_ok()
    };
    assert!(!create("one", &[]).await);
    assert!(!create("two", &[("team", "blue")]).await);
    assert!(!create("three", &[("team", "red"), ("more", "x")]).await);
    assert!(create("four", &[("team", "red"), ("cost", "x")]).await);
    let arn = format!("arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/four");
    for (tags, expected) in [
        (list(&[("team", "red")]), true),
        (list(&[("team", "blue")]), false),
        (list(&[("cost", "x")]), false),
    ] {
        let input = json!({"resourceArn": arn, "tags": tags});
        let tagged = t.call_as::<TagResource>(alice.clone(), input).await;
        assert_eq!(tagged.is_ok(), expected, "{tags}");
    }
    people.take(ACCOUNT, &id, "p").await;
    let keys = json!(["cost"]);
    let only_cost = when(
        "ecr:UntagResource",
        "ForAllValues:StringEquals",
        "aws:TagKeys",
        &keys,
    );
    people.inline(ACCOUNT, &id, "p", &only_cost).await;
    for (keys, expected) in [(json!(["team"]), false), (json!(["cost"]), true)] {
        let input = json!({"resourceArn": arn, "tagKeys": keys});
        let untagged = t.call_as::<UntagResource>(alice.clone(), input).await;
        assert_eq!(untagged.is_ok(), expected, "{keys}");
    }
}

#[tokio::test]
async fn conditions_see_which_setting_is_meant_and_the_tags_of_a_repository() {
    let t = TestCore::start().await;
    let people = People(&t);
    let id = people.user(ACCOUNT, "alice").await;
    let alice = people.caller(&id).await;
    let mounting = json!("BLOB_MOUNTING");
    let document = when("ecr:*", "StringEquals", "ecr:AccountSetting", &mounting);
    people.inline(ACCOUNT, &id, "p", &document).await;
    for (name, value, expected) in [
        ("BLOB_MOUNTING", "DISABLED", true),
        ("REGISTRY_POLICY_SCOPE", "V1", false),
    ] {
        let get = t.call_as::<GetAccountSetting>(alice.clone(), json!({"name": name}));
        assert_eq!(get.await.is_ok(), expected, "{name}");
        let input = json!({"name": name, "value": value});
        let put = t.call_as::<PutAccountSetting>(alice.clone(), input);
        assert_eq!(put.await.is_ok(), expected, "{name}");
    }
    people.take(ACCOUNT, &id, "p").await;
    for (name, tags) in [
        ("red", json!([{"Key": "Team", "Value": "red"}])),
        ("none", json!([])),
    ] {
        t.ok::<CreateRepository>(json!({"repositoryName": name, "tags": tags}))
            .await;
    }
    for key in ["aws:ResourceTag/Team", "ecr:ResourceTag/team"] {
        let document = when("ecr:ListImages", "StringEquals", key, &json!("red"));
        people.inline(ACCOUNT, &id, "p", &document).await;
        for (name, expected) in [("red", "allowed"), ("none", "AccessDenied")] {
            let input = json!({"repositoryName": name});
            let listed = t.call_as::<ListImages>(alice.clone(), input).await;
            let outcome = listed.map_or_else(|error| name_of(&error), |_| "allowed".to_owned());
            assert_eq!(outcome, expected, "{key} {name}");
        }
        people.take(ACCOUNT, &id, "p").await;
    }
}

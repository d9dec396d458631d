//! What was allowed is refused on the very next request, whatever is remembered.

use longshore_registry::{
    Error,
    oci::{Ping, blob::DownloadLayer},
    op::{
        image::ListImages,
        layer::GetDownloadUrlForLayer,
        registry::{DeleteRegistryPolicy, PutRegistryPolicy},
        repository::DeleteRepositoryPolicy,
        resource::{TagResource, UntagResource},
    },
    principal::{Caller, Credential},
    token::{LayerGrant, Purpose},
};
use serde_json::json;

use super::{
    decisions::set_policy,
    people::{People, allow, grant, policy},
};
use crate::harness::{ACCOUNT, OTHER, TestCore, digest_of, name_of};

async fn outcome(t: &TestCore, caller: &Caller) -> String {
    let input = json!({"repositoryName": "app", "registryId": ACCOUNT});
    match t.call_as::<ListImages>(caller.clone(), input).await {
        Ok(_) => "allowed".to_owned(),
        Err(error) => name_of(&error),
    }
}

/// A repository, and a user of whom everything is remembered.
async fn scene(t: &TestCore) -> (String, Caller) {
    t.repository("app").await;
    let people = People(t);
    let id = people.user(ACCOUNT, "alice").await;
    let alice = people.caller(&id).await;
    assert_eq!(outcome(t, &alice).await, "AccessDenied");
    (id, alice)
}

#[tokio::test]
async fn policies_that_are_taken_away_allow_no_more() {
    let t = TestCore::start().await;
    let people = People(&t);
    let (id, alice) = scene(&t).await;

    people.inline(ACCOUNT, &id, "p", &allow("ecr:*")).await;
    assert_eq!(outcome(&t, &alice).await, "allowed");
    people.take(ACCOUNT, &id, "p").await;
    assert_eq!(outcome(&t, &alice).await, "AccessDenied");

    let managed = people.managed(ACCOUNT, "all", &allow("ecr:*")).await;
    people.attach(ACCOUNT, &id, &managed).await;
    assert_eq!(outcome(&t, &alice).await, "allowed");
    people.detach(ACCOUNT, &id, &managed).await;
    assert_eq!(outcome(&t, &alice).await, "AccessDenied");

    let group = people.group(ACCOUNT, "team", &id).await;
    people.attach(ACCOUNT, &group, &managed).await;
    assert_eq!(outcome(&t, &alice).await, "allowed");
    people.leave(ACCOUNT, &group, &id).await;
    assert_eq!(outcome(&t, &alice).await, "AccessDenied");
}

#[tokio::test]
async fn a_deactivated_key_is_nobodys() {
    let t = TestCore::start().await;
    t.repository("app").await;
    assert_eq!(outcome(&t, &t.caller).await, "allowed");
    let Some(Credential::AccessKey(key)) = t.caller.known().map(|known| &known.credential) else {
        panic!("the administrator has a key");
    };
    People(&t).deactivate(ACCOUNT, key).await;
    assert_eq!(outcome(&t, &t.caller).await, "UnrecognizedClient");
    assert!(t.run(Ping).await.is_err());
}

#[tokio::test]
async fn a_deleted_user_is_nobody_and_another_of_its_name_is_not_it() {
    let t = TestCore::start().await;
    let people = People(&t);
    let (id, alice) = scene(&t).await;
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/alice");
    set_policy(&t, "app", &grant("ecr:ListImages", &arn)).await;
    assert_eq!(outcome(&t, &alice).await, "allowed");
    assert!(t.run_as(alice.clone(), Ping).await.is_ok());
    people.remove(ACCOUNT, &id).await;
    assert_eq!(outcome(&t, &alice).await, "UnrecognizedClient");
    let ping = t.run_as(alice.clone(), Ping).await;
    assert!(matches!(ping, Err(Error::UnrecognizedClient)));
    // The policy meant the one that is gone.
    let second = people.principal(ACCOUNT, "user", "alice", 2).await;
    let second = people.caller(&second).await;
    assert_eq!(outcome(&t, &second).await, "AccessDenied");
    set_policy(&t, "app", &grant("ecr:ListImages", &arn)).await;
    assert_eq!(outcome(&t, &second).await, "allowed");
}

#[tokio::test]
async fn a_repository_made_again_has_nothing_of_the_policy_and_tags_of_the_last() {
    let t = TestCore::start().await;
    let people = People(&t);
    let (id, alice) = scene(&t).await;
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/alice");
    set_policy(&t, "app", &grant("ecr:ListImages", &arn)).await;
    assert_eq!(outcome(&t, &alice).await, "allowed");
    t.delete_repository("app").await;
    assert_eq!(outcome(&t, &alice).await, "AccessDenied");
    t.repository("app").await;
    assert_eq!(outcome(&t, &alice).await, "AccessDenied");
    people.inline(ACCOUNT, &id, "p", &allow("ecr:*")).await;
    assert_eq!(outcome(&t, &alice).await, "allowed");
    t.delete_repository("app").await;
    assert_eq!(outcome(&t, &alice).await, "RepositoryNotFound");
}

#[tokio::test]
async fn policies_of_repository_and_registry_act_and_end_at_once() {
    let t = TestCore::start().await;
    let people = People(&t);
    people.account(OTHER).await;
    t.repository("app").await;
    let id = people.user(OTHER, "bob").await;
    people.inline(OTHER, &id, "p", &allow("ecr:*")).await;
    let bob = people.caller(&id).await;
    assert_eq!(outcome(&t, &bob).await, "AccessDenied");

    set_policy(&t, "app", &grant("ecr:ListImages", OTHER)).await;
    assert_eq!(outcome(&t, &bob).await, "allowed");
    t.ok::<DeleteRepositoryPolicy>(json!({"repositoryName": "app"}))
        .await;
    assert_eq!(outcome(&t, &bob).await, "AccessDenied");

    let text = grant("ecr:ListImages", OTHER).to_string();
    t.ok::<PutRegistryPolicy>(json!({"policyText": text})).await;
    assert_eq!(outcome(&t, &bob).await, "allowed");
    t.ok::<DeleteRegistryPolicy>(json!({})).await;
    assert_eq!(outcome(&t, &bob).await, "AccessDenied");
}

#[tokio::test]
async fn a_layer_url_is_good_as_long_as_its_repository_and_caller_are() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.image("app", "one", Some("v1")).await;
    let people = People(&t);
    let id = people.user(ACCOUNT, "alice").await;
    people.inline(ACCOUNT, &id, "p", &allow("ecr:*")).await;
    let alice = people.caller(&id).await;
    let digest = digest_of(b"layer of one");
    let input = json!({"repositoryName": "app", "layerDigest": digest.to_string()});
    let answer = t
        .call_as::<GetDownloadUrlForLayer>(alice.clone(), input)
        .await
        .unwrap();
    let url = answer["downloadUrl"].as_str().unwrap();
    let (_, sealed) = url.split_once("grant=").unwrap();
    let download = async || {
        let tokens = &t.core.tokens;
        let grant: LayerGrant = tokens.open(Purpose::Layer, sealed).unwrap();
        let range = None;
        let done = t
            .run_as(alice.clone(), DownloadLayer { grant, range })
            .await;
        done.map_or_else(|error| name_of(&error), |_| "allowed".to_owned())
    };
    assert_eq!(download().await, "allowed");
    // What has nothing to do with it.
    people.tag(ACCOUNT, &id, "team", "red").await;
    assert_eq!(download().await, "allowed");
    set_policy(&t, "app", &grant("ecr:ListImages", ACCOUNT)).await;
    assert_eq!(download().await, "allowed");
    let replica = t.replica().await;
    let deny = policy("Deny", "ecr:Get*", "*", &json!({"Principal": "*"}));
    set_policy(&replica, "app", &deny).await;
    assert_eq!(download().await, "AccessDenied");
    set_policy(&replica, "app", &grant("ecr:ListImages", ACCOUNT)).await;
    assert_eq!(download().await, "allowed");
    replica.delete_repository("app").await;
    replica.repository("app").await;
    assert_eq!(download().await, "BlobUnknown");
}

#[tokio::test]
async fn tags_of_callers_and_repositories_act_at_once() {
    let t = TestCore::start().await;
    let people = People(&t);
    let (id, alice) = scene(&t).await;
    let same_team = policy(
        "Allow",
        "ecr:*",
        "*",
        &json!({"Condition": {"StringEquals": {"ecr:ResourceTag/team": "${aws:PrincipalTag/team}"}}}),
    );
    people.inline(ACCOUNT, &id, "p", &same_team).await;
    assert_eq!(outcome(&t, &alice).await, "AccessDenied");
    people.tag(ACCOUNT, &id, "team", "red").await;
    assert_eq!(outcome(&t, &alice).await, "AccessDenied");
    let arn = format!("arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/app");
    let tag = |value: &str| json!({"resourceArn": arn, "tags": [{"Key": "team", "Value": value}]});
    t.ok::<TagResource>(tag("red")).await;
    assert_eq!(outcome(&t, &alice).await, "allowed");
    t.ok::<TagResource>(tag("blue")).await;
    assert_eq!(outcome(&t, &alice).await, "AccessDenied");
    t.ok::<TagResource>(tag("red")).await;
    assert_eq!(outcome(&t, &alice).await, "allowed");
    t.ok::<UntagResource>(json!({"resourceArn": arn, "tagKeys": ["team"]}))
        .await;
    assert_eq!(outcome(&t, &alice).await, "AccessDenied");
}

//! Who may make templates, and who may make repositories by them.

use longshore_registry::{
    Error,
    oci::upload::StartUpload,
    op::{
        creation_template::{
            CreateRepositoryCreationTemplate, DescribeRepositoryCreationTemplates,
            UpdateRepositoryCreationTemplate,
        },
        registry::PutRegistryPolicy,
        repository::DescribeRepositories,
    },
    principal::Caller,
};
use serde_json::{Value, json};

use super::{LIFECYCLE, template, with};
use crate::{
    authz::people::{People, allow, grant, policy},
    harness::{ACCOUNT, OTHER, TestCore, name_of},
};

const ROLE: &str = "arn:aws:iam::123456789012:role/maker";

async fn push_as(t: &TestCore, caller: &Caller, repository: &str) -> Result<(), Error> {
    let start = StartUpload {
        repository: t.at(repository),
        mount: None,
        sha512: false,
    };
    t.run_as(caller.clone(), start).await.map(drop)
}

async fn repositories(t: &TestCore) -> usize {
    let all = t.ok::<DescribeRepositories>(json!({})).await;
    all["repositories"].as_array().unwrap().len()
}

fn may(actions: &[&str], resource: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement":
        [{"Effect": "Allow", "Action": actions, "Resource": resource}]})
}

#[tokio::test]
async fn who_may_not_make_repositories_learns_nothing_of_templates() {
    let t = TestCore::start().await;
    let people = People(&t);
    let id = people.user(ACCOUNT, "pusher").await;
    people
        .inline(ACCOUNT, &id, "push", &allow("ecr:InitiateLayerUpload"))
        .await;
    let nobody = people.user(ACCOUNT, "nobody").await;
    let (pusher, nobody) = (people.caller(&id).await, people.caller(&nobody).await);
    let absent = push_as(&t, &pusher, "prod/app").await.unwrap_err();
    let denied = push_as(&t, &nobody, "prod/app").await.unwrap_err();
    template(&t, "prod", json!({})).await;
    for (caller, before) in [(&pusher, absent), (&nobody, denied)] {
        let after = push_as(&t, caller, "prod/app").await.unwrap_err();
        assert_eq!(after.to_string(), before.to_string());
    }
    let anonymous = push_as(&t, &Caller::Anonymous, "prod/app").await;
    assert_eq!(name_of(&anonymous.unwrap_err()), "AuthenticationRequired");
    assert_eq!(repositories(&t).await, 0);

    let only = "arn:aws:ecr:*:*:repository/prod/app";
    people
        .inline(ACCOUNT, &id, "make", &may(&["ecr:CreateRepository"], only))
        .await;
    let other = push_as(&t, &pusher, "prod/other").await.unwrap_err();
    assert_eq!(name_of(&other), "RepositoryNotFound");
    push_as(&t, &pusher, "prod/app").await.unwrap();
    assert_eq!(repositories(&t).await, 1);
}

#[tokio::test]
async fn who_may_make_repositories_but_not_push_makes_none() {
    let t = TestCore::start().await;
    template(&t, "ROOT", json!({})).await;
    let people = People(&t);
    let id = people.user(ACCOUNT, "maker").await;
    people
        .inline(ACCOUNT, &id, "make", &allow("ecr:CreateRepository"))
        .await;
    let refused = push_as(&t, &people.caller(&id).await, "app").await;
    assert_eq!(name_of(&refused.unwrap_err()), "AccessDenied");
    assert_eq!(repositories(&t).await, 0);
}

#[tokio::test]
async fn somebody_of_another_account_needs_both_sides() {
    let t = TestCore::start().await;
    let people = People(&t);
    people.account(OTHER).await;
    let id = people.user(OTHER, "ci").await;
    people.inline(OTHER, &id, "all", &allow("ecr:*")).await;
    let open = |actions: Value| {
        let text = json!({"Version": "2012-10-17", "Statement": [{"Sid": "x", "Effect": "Allow",
            "Principal": {"AWS": OTHER}, "Action": actions, "Resource": "*"}]});
        json!({"policyText": text.to_string()})
    };
    // What the repository is opened to is what lets them go on.
    let push = grant("ecr:InitiateLayerUpload", OTHER);
    template(&t, "prod", json!({"repositoryPolicy": push.to_string()})).await;
    t.ok::<PutRegistryPolicy>(open(json!("ecr:InitiateLayerUpload")))
        .await;
    let caller = people.caller(&id).await;
    let refused = push_as(&t, &caller, "prod/app").await.unwrap_err();
    assert_eq!(name_of(&refused), "RepositoryNotFound");
    t.ok::<PutRegistryPolicy>(open(json!([
        "ecr:InitiateLayerUpload",
        "ecr:CreateRepository"
    ])))
    .await;
    push_as(&t, &caller, "prod/app").await.unwrap();
}

#[tokio::test]
async fn a_registry_policy_that_denies_binds_the_role_too() {
    let t = TestCore::start().await;
    template(&t, "prod", json!({})).await;
    let people = People(&t);
    let id = people.user(ACCOUNT, "pusher").await;
    people.inline(ACCOUNT, &id, "all", &allow("ecr:*")).await;
    let deny = json!({"Version": "2012-10-17", "Statement": [{"Sid": "x", "Effect": "Deny",
        "Principal": "*", "Action": "ecr:CreateRepository", "Resource": "*",
        "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}}]});
    t.ok::<PutRegistryPolicy>(json!({"policyText": deny.to_string()}))
        .await;
    let refused = push_as(&t, &people.caller(&id).await, "prod/app").await;
    assert_eq!(name_of(&refused.unwrap_err()), "AccessDenied");
}

#[tokio::test]
async fn a_template_gives_nothing_that_its_maker_could_not_give() {
    let t = TestCore::start().await;
    let people = People(&t);
    template(&t, "first", json!({})).await;
    let id = people.user(ACCOUNT, "maker").await;
    let caller = people.caller(&id).await;
    let text = grant("ecr:*", ACCOUNT).to_string();
    let under = "arn:aws:ecr:eu-central-1:123456789012:repository/prod/*";
    let all =
        json!({"repositoryPolicy": text, "lifecyclePolicy": LIFECYCLE, "customRoleArn": ROLE});
    let steps = [
        ("ecr:CreateRepositoryCreationTemplate", "*"),
        ("ecr:CreateRepository", under),
        ("ecr:PutLifecyclePolicy", under),
        ("ecr:SetRepositoryPolicy", under),
        ("iam:PassRole", ROLE),
    ];
    for (action, resource) in steps {
        let refused = t
            .call_as::<CreateRepositoryCreationTemplate>(caller.clone(), with("prod", all.clone()))
            .await
            .unwrap_err();
        assert!(
            refused.to_string().contains(&format!(
                "maker is not authorized to perform: {action} on resource: {resource}"
            )),
            "{refused}"
        );
        let allowed = may(&[action], resource);
        people.inline(ACCOUNT, &id, action, &allowed).await;
    }
    let caller = people.caller(&id).await;
    t.call_as::<CreateRepositoryCreationTemplate>(caller.clone(), with("prod", all.clone()))
        .await
        .unwrap();
    // What was allowed is under one prefix.
    for prefix in ["ROOT", "prod2", "pro"] {
        let refused = t
            .call_as::<CreateRepositoryCreationTemplate>(caller.clone(), with(prefix, json!({})))
            .await;
        assert_eq!(name_of(&refused.unwrap_err()), "AccessDenied", "{prefix}");
    }
    // An update is asked for what it gives alone.
    let update = may(&["ecr:UpdateRepositoryCreationTemplate"], "*");
    people.inline(ACCOUNT, &id, "update", &update).await;
    for action in [
        "iam:PassRole",
        "ecr:SetRepositoryPolicy",
        "ecr:PutLifecyclePolicy",
    ] {
        people.take(ACCOUNT, &id, action).await;
    }
    let caller = people.caller(&id).await;
    for member in ["repositoryPolicy", "lifecyclePolicy", "customRoleArn"] {
        let input = json!({"prefix": "prod", member: all[member]});
        let refused = t
            .call_as::<UpdateRepositoryCreationTemplate>(caller.clone(), input)
            .await;
        assert_eq!(name_of(&refused.unwrap_err()), "AccessDenied", "{member}");
    }
    // Who takes a policy away gives what it denied.
    for member in ["repositoryPolicy", "lifecyclePolicy"] {
        let input = json!({"prefix": "prod", member: ""});
        let refused = t
            .call_as::<UpdateRepositoryCreationTemplate>(caller.clone(), input)
            .await;
        assert_eq!(name_of(&refused.unwrap_err()), "AccessDenied", "{member}");
    }
    // The role that is there gives tags in the name of whoever passed it.
    let tags = json!({"prefix": "prod", "resourceTags": [{"Key": "team", "Value": "red"}]});
    let refused = t
        .call_as::<UpdateRepositoryCreationTemplate>(caller.clone(), tags.clone())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("iam:PassRole"), "{refused}");
    for input in [
        json!({"prefix": "prod", "description": "mine", "resourceTags": []}),
        json!({"prefix": "prod", "customRoleArn": ""}),
        tags,
    ] {
        t.call_as::<UpdateRepositoryCreationTemplate>(caller.clone(), input)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_role_may_be_passed_to_this_service_alone() {
    let t = TestCore::start().await;
    template(&t, "first", json!({})).await;
    let people = People(&t);
    for (name, service, expected) in [
        ("one", "lambda.amazonaws.com", Some("AccessDenied")),
        ("two", "ecr.amazonaws.com", None),
    ] {
        let id = people.user(ACCOUNT, name).await;
        people.inline(ACCOUNT, &id, "ecr", &allow("ecr:*")).await;
        let condition = json!({"Condition": {"StringEquals": {"iam:PassedToService": service}}});
        let pass = policy("Allow", "iam:PassRole", ROLE, &condition);
        people.inline(ACCOUNT, &id, "pass", &pass).await;
        let made = t
            .call_as::<CreateRepositoryCreationTemplate>(
                people.caller(&id).await,
                with(name, json!({"customRoleArn": ROLE})),
            )
            .await;
        assert_eq!(made.err().map(|error| name_of(&error)).as_deref(), expected);
    }
}

#[tokio::test]
async fn the_first_template_needs_the_right_to_make_the_services_role() {
    let t = TestCore::start().await;
    let people = People(&t);
    let id = people.user(ACCOUNT, "maker").await;
    people.inline(ACCOUNT, &id, "ecr", &allow("ecr:*")).await;
    let make = async |caller: Caller, prefix: &str| {
        let input = with(prefix, json!({}));
        t.call_as::<CreateRepositoryCreationTemplate>(caller, input)
            .await
    };
    let refused = make(people.caller(&id).await, "a").await.unwrap_err();
    assert!(
        refused.to_string().contains("iam:CreateServiceLinkedRole"),
        "{refused}"
    );
    assert!(
        t.ok::<DescribeRepositoryCreationTemplates>(json!({})).await["repositoryCreationTemplates"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let condition =
        json!({"Condition": {"StringEquals": {"iam:AWSServiceName": "ecr.amazonaws.com"}}});
    let role = policy("Allow", "iam:CreateServiceLinkedRole", "*", &condition);
    people.inline(ACCOUNT, &id, "role", &role).await;
    make(people.caller(&id).await, "a").await.unwrap();
    people.take(ACCOUNT, &id, "role").await;
    make(people.caller(&id).await, "b").await.unwrap();
}

#[tokio::test]
async fn a_deny_of_any_name_under_the_prefix_keeps_the_maker_from_the_template() {
    let t = TestCore::start().await;
    let people = People(&t);
    template(&t, "first", json!({})).await;
    let id = people.user(ACCOUNT, "maker").await;
    people.inline(ACCOUNT, &id, "all", &allow("ecr:*")).await;
    let names = "arn:aws:ecr:eu-central-1:123456789012:repository";
    let deny = |name: &str| {
        let resource = format!("{names}/{name}");
        policy("Deny", "ecr:CreateRepository", &resource, &json!({}))
    };
    let make = async |prefix: &str| {
        let caller = people.caller(&id).await;
        let input = with(prefix, json!({}));
        t.call_as::<CreateRepositoryCreationTemplate>(caller, input)
            .await
    };
    for name in ["prod/secret", "prod/secret/*", "*/secret", "prod/?"] {
        people.inline(ACCOUNT, &id, "deny", &deny(name)).await;
        for prefix in ["prod", "ROOT"] {
            let refused = make(prefix).await.unwrap_err();
            assert_eq!(name_of(&refused), "AccessDenied", "{name} {prefix}");
            assert!(refused.to_string().contains("with an explicit deny"));
        }
        people.take(ACCOUNT, &id, "deny").await;
    }
    // A deny of other names does not.
    people.inline(ACCOUNT, &id, "deny", &deny("prod2/*")).await;
    make("prod").await.unwrap();
    let refused = make("prod2/a").await.unwrap_err();
    assert_eq!(name_of(&refused), "AccessDenied");
}

//! Who may: everything that a pull of the source and a push of the target takes, as of every step.

use longshore_registry::{
    RequestFacts,
    extension::{
        CancelRepositoryCopy, CopyRepository, DescribeRepositoryCopies, MoveRepository,
        RenameRepository,
    },
    iam::{
        access_key::{CreateAccessKey, DeleteAccessKey},
        inline_policy::PutUserPolicy,
        user::CreateUser,
    },
    job,
    op::registry::PutRegistryPolicy,
    op::repository::{DescribeRepositories, SetRepositoryPolicy},
    principal::Caller,
    session::SessionKind,
};
use serde_json::{Value, json};

use super::{call_at, furnish, look, other_account, registry, user};
use crate::{
    authz::people::{People, allow, grant, policy},
    harness::{ACCOUNT, OTHER, TestCore, name_of},
};

const NEEDED: [&str; 14] = [
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:DescribeImages",
    "ecr:GetRepositoryPolicy",
    "ecr:GetLifecyclePolicy",
    "ecr:ListTagsForResource",
    "ecr:CreateRepository",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
    "ecr:SetRepositoryPolicy",
    "ecr:PutLifecyclePolicy",
    "ecr:TagResource",
];

fn arn(name: &str) -> String {
    format!("arn:aws:ecr:*:{ACCOUNT}:repository/{name}")
}

#[tokio::test]
async fn a_deny_of_any_part_on_either_side_stops_it() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let (id, _) = user(&t, "anna", "*").await;
    let people = People(&t);
    for (idx, action) in NEEDED.into_iter().enumerate() {
        let side = if idx < 6 { "app" } else { "new" };
        let deny = policy("Deny", action, &arn(side), &json!({}));
        people.inline(ACCOUNT, &id, "deny", &deny).await;
        let caller = people.caller(&id).await;
        let way = json!({"repositoryName": "app", "targetRepositoryName": "new"});
        let copied = t.call_as::<CopyRepository>(caller.clone(), way).await;
        assert_eq!(name_of(&copied.unwrap_err()), "AccessDenied", "{action}");
        let way = json!({"repositoryName": "app", "newRepositoryName": "new"});
        let renamed = t.call_as::<RenameRepository>(caller, way).await;
        assert_eq!(name_of(&renamed.unwrap_err()), "AccessDenied", "{action}");
        people.take(ACCOUNT, &id, "deny").await;
    }
    for (action, on) in [
        ("longshore:RenameRepository", "app"),
        ("ecr:DeleteRepository", "app"),
    ] {
        let deny = policy("Deny", action, &arn(on), &json!({}));
        people.inline(ACCOUNT, &id, "deny", &deny).await;
        let caller = people.caller(&id).await;
        let way = json!({"repositoryName": "app", "newRepositoryName": "new"});
        let renamed = t.call_as::<RenameRepository>(caller.clone(), way).await;
        assert_eq!(name_of(&renamed.unwrap_err()), "AccessDenied", "{action}");
        let way = json!({"repositoryName": "app", "targetRegion": "us-west-2"});
        let moved = t.call_as::<MoveRepository>(caller, way).await;
        if action == "ecr:DeleteRepository" {
            assert_eq!(name_of(&moved.unwrap_err()), "AccessDenied", "{action}");
        } else {
            moved.unwrap();
        }
        people.take(ACCOUNT, &id, "deny").await;
    }
    let (id, caller) = user(&t, "ben", "ecr:*").await;
    let way = json!({"repositoryName": "app", "targetRepositoryName": "new"});
    let copied = t.call_as::<CopyRepository>(caller, way.clone()).await;
    assert_eq!(name_of(&copied.unwrap_err()), "AccessDenied");
    let more = allow("longshore:CopyRepository");
    people.inline(ACCOUNT, &id, "more", &more).await;
    let caller = people.caller(&id).await;
    t.call_as::<CopyRepository>(caller, way).await.unwrap();
}

#[tokio::test]
async fn whoever_may_not_learns_nothing_of_what_is_there() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let (_, caller) = user(&t, "anna", "sts:*").await;
    let mut texts = Vec::new();
    for name in ["app", "xyz"] {
        let of = json!({"repositoryName": name, "targetRepositoryName": "new"});
        let error = t.call_as::<CopyRepository>(caller.clone(), of).await;
        texts.push(error.unwrap_err().to_string().replace(name, ""));
        let of = json!({"repositoryName": name});
        let error = t
            .call_as::<DescribeRepositoryCopies>(caller.clone(), of)
            .await;
        assert_eq!(name_of(&error.unwrap_err()), "AccessDenied");
    }
    assert_eq!(texts[0], texts[1]);
}

#[tokio::test]
async fn another_account_opens_its_registry_or_there_is_no_copy() {
    let t = TestCore::start().await;
    furnish(&t).await;
    let people = People(&t);
    people.account(OTHER).await;
    let to = json!({"repositoryName": "app", "targetRegistryId": OTHER});
    let refused = t.refused::<CopyRepository>(to.clone()).await;
    assert_eq!(refused.0, "AccessDenied");
    let nowhere = json!({"repositoryName": "app", "targetRegistryId": "999999999999"});
    let refused = t.refused::<CopyRepository>(nowhere).await;
    assert_eq!(refused.0, "AccessDenied");
    let root = other_account_opened(&t).await;
    t.ok::<CopyRepository>(to.clone()).await;

    // From the other side: the source has to open itself.
    let pull = json!({"registryId": ACCOUNT, "repositoryName": "app", "targetRegistryId": OTHER, "targetRepositoryName": "pulled"});
    let here = t.registry();
    let refused = call_at::<CopyRepository>(&t, here, &root, pull.clone()).await;
    assert_eq!(name_of(&refused.unwrap_err()), "AccessDenied");
    let mut open = grant("ecr:*", OTHER);
    open["Statement"][0]["Action"] = json!(["ecr:*", "longshore:*"]);
    t.ok::<SetRepositoryPolicy>(
        json!({"repositoryName": "app", "policyText": open.to_string(), "force": true}),
    )
    .await;
    let begun = call_at::<CopyRepository>(&t, here, &root, pull)
        .await
        .unwrap();
    let of = json!({"repositoryName": "app", "registryId": ACCOUNT, "copyId": begun["repositoryCopy"]["copyId"]});
    call_at::<DescribeRepositoryCopies>(&t, here, &root, of)
        .await
        .unwrap();
    t.sweep().await;
    let copied = call_at::<longshore_registry::op::image::ListImages>(
        &t,
        registry(OTHER, "eu-central-1"),
        &root,
        json!({"repositoryName": "pulled"}),
    )
    .await;
    assert!(!copied.unwrap()["imageIds"].as_array().unwrap().is_empty());
}

/// The other account's root, whose registry is open to the first account.
async fn other_account_opened(t: &TestCore) -> longshore_registry::principal::Caller {
    let root = People(t).caller(OTHER).await;
    let there = registry(OTHER, "eu-central-1");
    let put = json!({"policyText": grant("ecr:*", ACCOUNT).to_string()});
    call_at::<PutRegistryPolicy>(t, there, &root, put)
        .await
        .unwrap();
    root
}

#[tokio::test]
async fn a_deny_while_it_runs_fails_it_on_the_next_step() {
    let t = TestCore::start().await;
    furnish(&t).await;
    let (id, caller) = user(&t, "anna", "*").await;
    let people = People(&t);
    for ticks in 0..5 {
        let way = json!({"repositoryName": "app", "targetRepositoryName": "new"});
        let begun = t.call_as::<CopyRepository>(caller.clone(), way).await;
        let copy = begun.unwrap()["repositoryCopy"]["copyId"].clone();
        for _ in 0..ticks {
            longshore_registry::job::tick(&t.core).await.unwrap();
        }
        let deny = policy("Deny", "ecr:PutImage", &arn("new"), &json!({}));
        people.inline(ACCOUNT, &id, "deny", &deny).await;
        t.sweep().await;
        let told = look(&t, &copy).await;
        assert_eq!(told["status"], "FAILED", "after {ticks} steps: {told}");
        let why = told["failureReason"].as_str().unwrap();
        assert!(
            why.contains("is not authorized to perform: ecr:PutImage"),
            "{why}"
        );
        people.take(ACCOUNT, &id, "deny").await;
    }
}

#[tokio::test]
async fn whoever_is_gone_copies_no_more() {
    let t = TestCore::start().await;
    furnish(&t).await;
    let (id, caller) = user(&t, "anna", "*").await;
    let way = json!({"repositoryName": "app", "targetRepositoryName": "new"});
    let begun = t.call_as::<CopyRepository>(caller, way).await.unwrap();
    longshore_registry::job::tick(&t.core).await.unwrap();
    People(&t).remove(ACCOUNT, &id).await;
    t.sweep().await;
    let told = look(&t, &begun["repositoryCopy"]["copyId"]).await;
    assert_eq!(told["status"], "FAILED");
}

#[tokio::test]
async fn a_registry_that_closes_itself_stops_what_comes_in() {
    let t = TestCore::start().await;
    furnish(&t).await;
    let root = other_account(&t).await;
    let id = super::begin(&t, json!({"targetRegistryId": OTHER})).await;
    longshore_registry::job::tick(&t.core).await.unwrap();
    let there = registry(OTHER, "eu-central-1");
    let put = json!({"policyText": grant("ecr:ListImages", ACCOUNT).to_string()});
    call_at::<PutRegistryPolicy>(&t, there, &root, put)
        .await
        .unwrap();
    t.sweep().await;
    assert_eq!(look(&t, &id).await["status"], "FAILED");
}

#[tokio::test]
async fn later_steps_are_asked_as_the_request_was() {
    let t = TestCore::start().await;
    furnish(&t).await;
    let people = People(&t);
    let role = people.role(ACCOUNT, "mover").await;
    let from_here = json!({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}});
    let only = policy("Allow", "*", "*", &from_here);
    people.inline(ACCOUNT, &role, "all", &only).await;
    let caller = people.session(&role, SessionKind::AssumedRole, None).await;
    let way = json!({"repositoryName": "app", "targetRepositoryName": "new"});
    let request = |client: &str| RequestFacts {
        client: Some(client.parse().unwrap()),
        ..RequestFacts::default()
    };
    let copy = || serde_json::from_value::<CopyRepository>(way.clone()).unwrap();
    let afar = t
        .run_with(caller.clone(), request("192.0.2.1"), copy())
        .await;
    assert_eq!(name_of(&afar.unwrap_err()), "AccessDenied");
    let near = t.run_with(caller, request("10.1.1.1"), copy()).await;
    let near: Value = serde_json::to_value(near.unwrap()).unwrap();
    // The session ends before the copy does.
    t.advance(std::time::Duration::from_hours(3));
    t.sweep().await;
    let told = look(&t, &near["repositoryCopy"]["copyId"]).await;
    assert_eq!(told["status"], "COMPLETE", "{told}");
}

#[tokio::test]
async fn a_copy_is_cancelled_and_looked_at_by_whom_its_source_allows() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.repository("other").await;
    let (_, caller) = user(&t, "anna", "longshore:DescribeRepositoryCopies").await;
    let begun = super::begin(&t, json!({"targetRepositoryName": "new"})).await;
    let of = json!({"repositoryName": "app", "copyId": begun});
    t.call_as::<DescribeRepositoryCopies>(caller.clone(), of.clone())
        .await
        .unwrap();
    let cancelled = t.call_as::<CancelRepositoryCopy>(caller, of).await;
    assert_eq!(name_of(&cancelled.unwrap_err()), "AccessDenied");
    // The id of a copy of another repository opens nothing.
    let other = json!({"repositoryName": "other", "copyId": begun});
    assert_eq!(
        t.refused::<CancelRepositoryCopy>(other).await.0,
        "InvalidParameter"
    );
}

#[tokio::test]
async fn tags_that_the_copy_would_get_are_asked_for_as_if_they_were_given() {
    let t = TestCore::start().await;
    furnish(&t).await;
    let (id, _) = user(&t, "anna", "*").await;
    let people = People(&t);
    let red = json!({"Condition": {"StringEquals": {"aws:RequestTag/team": "red"}}});
    let deny = policy("Deny", "ecr:TagResource", "*", &red);
    people.inline(ACCOUNT, &id, "deny", &deny).await;
    let caller = people.caller(&id).await;
    let way = json!({"repositoryName": "app", "targetRepositoryName": "new"});
    let copied = t.call_as::<CopyRepository>(caller.clone(), way).await;
    assert_eq!(name_of(&copied.unwrap_err()), "AccessDenied");
    let way = json!({"repositoryName": "app", "newRepositoryName": "new"});
    let renamed = t.call_as::<RenameRepository>(caller, way).await;
    assert_eq!(name_of(&renamed.unwrap_err()), "AccessDenied");
}

#[tokio::test]
async fn what_a_key_began_ends_with_the_key() {
    let t = TestCore::start().await;
    furnish(&t).await;
    let (name, all) = ("mover", allow("*"));
    t.ok::<CreateUser>(json!({"UserName": name})).await;
    let policy = json!({"UserName": name, "PolicyName": "all", "PolicyDocument": all.to_string()});
    t.ok::<PutUserPolicy>(policy).await;
    let key = t.ok::<CreateAccessKey>(json!({"UserName": name})).await;
    let key = key["AccessKey"]["AccessKeyId"].as_str().unwrap();
    let found = t
        .core
        .principals
        .access_key(&t.core.meta, &t.core.keys, key);
    let caller = Caller::Known(found.await.unwrap().unwrap().known);
    let way = json!({"repositoryName": "app", "targetRegion": "us-west-2"});
    let begun = t.call_as::<MoveRepository>(caller, way).await.unwrap();
    let id = &begun["repositoryCopy"]["copyId"];
    job::tick(&t.core).await.unwrap();
    assert_eq!(look(&t, id).await["status"], "IN_PROGRESS");
    let gone = json!({"UserName": name, "AccessKeyId": key});
    t.ok::<DeleteAccessKey>(gone).await;
    t.sweep().await;
    let ended = look(&t, id).await;
    assert_eq!(ended["status"], "FAILED", "{ended}");
    let listed = json!({"repositoryNames": ["app"]});
    t.ok::<DescribeRepositories>(listed).await;
}

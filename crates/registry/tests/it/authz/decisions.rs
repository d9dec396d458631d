use std::sync::Arc;

use longshore_registry::{
    Error,
    oci::blob::HeadBlob,
    op::{
        image::ListImages,
        registry::{GetAuthorizationToken, PutRegistryPolicy},
        repository::{
            CreateRepository, DeleteRepository, DeleteRepositoryPolicy, DescribeRepositories,
            GetRepositoryPolicy, SetRepositoryPolicy,
        },
        resource::TagResource,
    },
    principal::Caller,
    session::SessionKind,
};
use serde_json::{Value, json};

use super::people::{People, allow, grant, policy};
use crate::harness::{ACCOUNT, OTHER, TestCore, name_of};

/// What listing the images of a repository comes to: how many, or the refusal's text.
async fn list(t: &TestCore, caller: &Caller, repository: &str) -> Result<usize, String> {
    let input = json!({"repositoryName": repository, "registryId": ACCOUNT});
    match t.call_as::<ListImages>(caller.clone(), input).await {
        Ok(output) => Ok(output["imageIds"].as_array().unwrap().len()),
        Err(Error::AccessDenied(denial)) => Err(denial.to_string()),
        Err(error) => Err(name_of(&error)),
    }
}

fn denial(caller: &str, repository: &str, clause: &str) -> Result<usize, String> {
    Err(format!(
        "User: {caller} is not authorized to perform: ecr:ListImages on resource: \
         arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/{repository} {clause}"
    ))
}

const NO_IDENTITY: &str = "because no identity-based policy allows the ecr:ListImages action";
const NO_RESOURCE: &str = "because no resource-based policy allows the ecr:ListImages action";

pub(super) async fn set_policy(t: &TestCore, repository: &str, document: &Value) {
    let input = json!({
        "repositoryName": repository, "policyText": document.to_string(), "force": true,
    });
    t.ok::<SetRepositoryPolicy>(input).await;
}

#[tokio::test]
async fn a_user_may_what_its_own_attached_and_group_policies_allow_together() {
    let t = TestCore::start().await;
    let people = People(&t);
    let id = people.user(ACCOUNT, "alice").await;
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/alice");
    for repository in ["by-inline", "by-managed", "by-group", "by-aws"] {
        t.repository(repository).await;
        let alice = people.caller(&id).await;
        assert_eq!(
            list(&t, &alice, repository).await,
            denial(&arn, repository, NO_IDENTITY)
        );
    }
    let on = |repository: &str| {
        let resource = format!("arn:aws:ecr:*:*:repository/{repository}");
        policy("Allow", "ecr:ListImages", &resource, &json!({}))
    };
    people.inline(ACCOUNT, &id, "p", &on("by-inline")).await;
    let managed = people.managed(ACCOUNT, "listers", &on("by-managed")).await;
    people.attach(ACCOUNT, &id, &managed).await;
    let group = people.group(ACCOUNT, "team", &id).await;
    people.inline(ACCOUNT, &group, "p", &on("by-group")).await;
    let alice = people.caller(&id).await;
    for repository in ["by-inline", "by-managed", "by-group"] {
        assert_eq!(list(&t, &alice, repository).await, Ok(0), "{repository}");
    }
    let refused = denial(&arn, "by-aws", NO_IDENTITY);
    assert_eq!(list(&t, &alice, "by-aws").await, refused);
    let aws = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";
    people.attach(ACCOUNT, &group, aws).await;
    assert_eq!(list(&t, &alice, "by-aws").await, Ok(0));
}

#[tokio::test]
async fn a_deny_of_any_policy_wins_and_is_named() {
    let t = TestCore::start().await;
    let people = People(&t);
    t.repository("app").await;
    let id = people.user(ACCOUNT, "alice").await;
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/alice");
    people.inline(ACCOUNT, &id, "all", &allow("ecr:*")).await;
    let alice = people.caller(&id).await;
    assert_eq!(list(&t, &alice, "app").await, Ok(0));

    let deny = policy("Deny", "ecr:ListImages", "*", &json!({}));
    people.inline(ACCOUNT, &id, "not", &deny).await;
    let clause = "with an explicit deny in an identity-based policy";
    assert_eq!(list(&t, &alice, "app").await, denial(&arn, "app", clause));
    people.take(ACCOUNT, &id, "not").await;
    assert_eq!(list(&t, &alice, "app").await, Ok(0));

    let deny = policy("Deny", "ecr:ListImages", "*", &json!({"Principal": "*"}));
    set_policy(&t, "app", &deny).await;
    let clause = "with an explicit deny in a resource-based policy";
    assert_eq!(list(&t, &alice, "app").await, denial(&arn, "app", clause));
}

#[tokio::test]
async fn boundaries_and_session_policies_only_limit() {
    let t = TestCore::start().await;
    let people = People(&t);
    t.repository("app").await;
    let id = people.role(ACCOUNT, "ci").await;
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/ci/run-1");
    let role = SessionKind::AssumedRole;

    let boundary = people.managed(ACCOUNT, "bound", &allow("ecr:Put*")).await;
    people.inline(ACCOUNT, &id, "all", &allow("ecr:*")).await;
    let ci = people.session(&id, role, None).await;
    assert_eq!(list(&t, &ci, "app").await, Ok(0));
    let narrow = people.session(&id, role, Some(&allow("ecr:Put*"))).await;
    let clause = "because no session policy allows the ecr:ListImages action";
    assert_eq!(list(&t, &narrow, "app").await, denial(&arn, "app", clause));
    let fitting = people.session(&id, role, Some(&allow("ecr:List*"))).await;
    assert_eq!(list(&t, &fitting, "app").await, Ok(0));

    people.bound(ACCOUNT, &id, &boundary).await;
    let clause = "because no permissions boundary allows the ecr:ListImages action";
    assert_eq!(list(&t, &ci, "app").await, denial(&arn, "app", clause));
    people.take(ACCOUNT, &id, "all").await;
    assert_eq!(list(&t, &ci, "app").await, denial(&arn, "app", NO_IDENTITY));
}

#[tokio::test]
async fn sessions_of_a_role_share_its_policies_in_memory() {
    let t = TestCore::start().await;
    let people = People(&t);
    let id = people.role(ACCOUNT, "ci").await;
    people.inline(ACCOUNT, &id, "all", &allow("ecr:*")).await;
    let role = SessionKind::AssumedRole;
    let one = people.session(&id, role, None).await;
    let other = people.session(&id, role, Some(&allow("ecr:*"))).await;
    let of = |caller: &Caller| caller.known().unwrap().policies.clone();
    assert!(Arc::ptr_eq(&of(&one).identity, &of(&other).identity));
    // Its session policy is another policy, though its text is the same.
    let of_session = of(&other).session.unwrap();
    assert!(!Arc::ptr_eq(&of(&one).identity, &of_session));
}

#[tokio::test]
async fn a_federated_user_may_what_both_its_user_and_its_session_policy_allow() {
    let t = TestCore::start().await;
    let people = People(&t);
    t.repository("app").await;
    let id = people.user(ACCOUNT, "alice").await;
    let arn = format!("arn:aws:sts::{ACCOUNT}:federated-user/run-1");
    people.inline(ACCOUNT, &id, "all", &allow("ecr:*")).await;
    let kind = SessionKind::FederatedUser;
    let bare = people.session(&id, kind, None).await;
    let clause = "because no session policy allows the ecr:ListImages action";
    assert_eq!(list(&t, &bare, "app").await, denial(&arn, "app", clause));
    let lent = people.session(&id, kind, Some(&allow("ecr:List*"))).await;
    assert_eq!(list(&t, &lent, "app").await, Ok(0));
    // What root lends is bounded by the session's own policies alone.
    let of_root = people
        .session(ACCOUNT, kind, Some(&allow("ecr:List*")))
        .await;
    assert_eq!(list(&t, &of_root, "app").await, Ok(0));
    let of_root = people.session(ACCOUNT, kind, None).await;
    assert_eq!(list(&t, &of_root, "app").await, denial(&arn, "app", clause));
}

#[tokio::test]
async fn root_is_bound_by_a_repositorys_deny_but_never_locked_out_of_its_policy() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let deny = policy("Deny", "ecr:*", "*", &json!({"Principal": "*"}));
    set_policy(&t, "app", &deny).await;
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    let clause = "with an explicit deny in a resource-based policy";
    assert_eq!(
        list(&t, &t.caller, "app").await,
        denial(&root, "app", clause)
    );
    t.ok::<GetRepositoryPolicy>(json!({"repositoryName": "app"}))
        .await;
    set_policy(&t, "app", &grant("ecr:ListImages", ACCOUNT)).await;
    assert_eq!(list(&t, &t.caller, "app").await, Ok(0));
}

#[tokio::test]
async fn a_repository_policy_that_names_a_user_is_enough_within_the_account() {
    let t = TestCore::start().await;
    let people = People(&t);
    t.repository("app").await;
    let id = people.user(ACCOUNT, "alice").await;
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/alice");
    let alice = people.caller(&id).await;
    set_policy(&t, "app", &grant("ecr:ListImages", ACCOUNT)).await;
    // One that names the account leaves it to the account's own policies.
    assert_eq!(
        list(&t, &alice, "app").await,
        denial(&arn, "app", NO_IDENTITY)
    );
    set_policy(&t, "app", &grant("ecr:ListImages", &arn)).await;
    assert_eq!(list(&t, &alice, "app").await, Ok(0));
}

#[tokio::test]
async fn across_accounts_both_sides_must_allow() {
    let t = TestCore::start().await;
    let people = People(&t);
    people.account(OTHER).await;
    t.repository("app").await;
    let id = people.user(OTHER, "bob").await;
    let arn = format!("arn:aws:iam::{OTHER}:user/bob");
    let bob = people.caller(&id).await;
    assert_eq!(
        list(&t, &bob, "app").await,
        denial(&arn, "app", NO_IDENTITY)
    );
    // Only the owner's side.
    set_policy(&t, "app", &grant("ecr:ListImages", OTHER)).await;
    assert_eq!(
        list(&t, &bob, "app").await,
        denial(&arn, "app", NO_IDENTITY)
    );
    // Both sides.
    people.inline(OTHER, &id, "all", &allow("ecr:*")).await;
    assert_eq!(list(&t, &bob, "app").await, Ok(0));
    let root = people.caller(OTHER).await;
    assert_eq!(list(&t, &root, "app").await, Ok(0));
    // Only the caller's side.
    set_policy(&t, "app", &grant("ecr:PutImage", OTHER)).await;
    assert_eq!(
        list(&t, &bob, "app").await,
        denial(&arn, "app", NO_RESOURCE)
    );
    let arn = format!("arn:aws:iam::{OTHER}:root");
    assert_eq!(
        list(&t, &root, "app").await,
        denial(&arn, "app", NO_RESOURCE)
    );
}

#[tokio::test]
async fn who_may_not_learns_nothing_about_what_is_there() {
    let t = TestCore::start().await;
    let people = People(&t);
    people.account(OTHER).await;
    t.repository("present").await;
    let powerless = people.user(ACCOUNT, "alice").await;
    let foreign = people.user(OTHER, "bob").await;
    people.inline(OTHER, &foreign, "all", &allow("*")).await;
    let nowhere = "555555555555";
    for id in [powerless, foreign] {
        let caller = people.caller(&id).await;
        let mut answers = Vec::new();
        for (account, repository) in [
            (ACCOUNT, "present"),
            (ACCOUNT, "absent"),
            (nowhere, "present"),
        ] {
            let input = json!({"repositoryName": repository, "registryId": account});
            let refused = t.call_as::<DeleteRepository>(caller.clone(), input).await;
            let text = refused.unwrap_err().to_string();
            // But for the names that the caller gave, all are the same.
            answers.push(text.replace(&format!(":{account}:repository/{repository}"), "IT"));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
    }
    // Who may do one thing to all names and not another learns nothing, either.
    let partly = people.user(ACCOUNT, "carol").await;
    let describe = policy(
        "Allow",
        "ecr:DescribeRepositories",
        "arn:aws:ecr:*:*:repository/absent",
        &json!({}),
    );
    people.inline(ACCOUNT, &partly, "p", &describe).await;
    let carol = people.caller(&partly).await;
    for names in [["absent", "present"], ["absent", "secret"]] {
        let input = json!({"repositoryNames": names});
        let refused = t
            .call_as::<DescribeRepositories>(carol.clone(), input)
            .await;
        assert_eq!(name_of(&refused.unwrap_err()), "AccessDenied", "{names:?}");
    }
    let input = json!({"repositoryNames": ["absent"]});
    let refused = t.call_as::<DescribeRepositories>(carol, input).await;
    assert_eq!(name_of(&refused.unwrap_err()), "RepositoryNotFound");
}

#[tokio::test]
async fn policies_and_tags_of_a_foreign_repository_do_not_show_in_a_refusal() {
    let t = TestCore::start().await;
    let people = People(&t);
    people.account(OTHER).await;
    t.repository("present").await;
    let arn = format!("arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/present");
    let tags = json!({"resourceArn": arn, "tags": [{"Key": "secret", "Value": "yes"}]});
    t.ok::<TagResource>(tags).await;
    let deny = policy("Deny", "ecr:*", "*", &json!({"Principal": "*"}));
    let id = people.user(OTHER, "bob").await;
    let bob = people.caller(&id).await;
    let asks_for_tag = |effect: &str| {
        let tagged = json!({"StringEquals": {"aws:ResourceTag/secret": "yes"}});
        policy(effect, "ecr:*", "*", &json!({"Condition": tagged}))
    };
    for document in [allow("ecr:*"), asks_for_tag("Allow"), asks_for_tag("Deny")] {
        people.inline(OTHER, &id, "p", &document).await;
        for of_resource in [None, Some(&deny)] {
            if let Some(of_resource) = of_resource {
                set_policy(&t, "present", of_resource).await;
            }
            let (present, absent) = (
                list(&t, &bob, "present").await.unwrap_err(),
                list(&t, &bob, "absent").await.unwrap_err(),
            );
            assert_eq!(present.replace("/present", "/absent"), absent);
        }
        t.ok::<DeleteRepositoryPolicy>(json!({"repositoryName": "present"}))
            .await;
        people.take(OTHER, &id, "p").await;
    }
}

#[tokio::test]
async fn describing_all_is_decided_on_all_repositories_and_names_each_by_itself() {
    let t = TestCore::start().await;
    let people = People(&t);
    for repository in ["team/app", "other/app"] {
        t.repository(repository).await;
    }
    let id = people.user(ACCOUNT, "alice").await;
    let team = "arn:aws:ecr:*:*:repository/team/*";
    let describe = policy("Allow", "ecr:DescribeRepositories", team, &json!({}));
    people.inline(ACCOUNT, &id, "p", &describe).await;
    let alice = people.caller(&id).await;
    let refused = t
        .call_as::<DescribeRepositories>(alice.clone(), json!({}))
        .await;
    let text = refused.unwrap_err().to_string();
    let resource = format!("on resource: arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/* because");
    assert!(text.contains(&resource), "{text}");
    let named = |name: &str| json!({"repositoryNames": [name]});
    let describe = t.call_as::<DescribeRepositories>(alice.clone(), named("team/app"));
    assert!(describe.await.is_ok());
    let describe = t.call_as::<DescribeRepositories>(alice.clone(), named("other/app"));
    assert_eq!(name_of(&describe.await.unwrap_err()), "AccessDenied");
}

#[tokio::test]
async fn passwords_are_given_by_identity_policies_alone() {
    let t = TestCore::start().await;
    let people = People(&t);
    let id = people.user(ACCOUNT, "alice").await;
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/alice");
    let open = grant("ecr:*", &arn).to_string();
    t.ok::<PutRegistryPolicy>(json!({"policyText": open})).await;
    let alice = people.caller(&id).await;
    let ask = || t.call_as::<GetAuthorizationToken>(alice.clone(), json!({}));
    let text = ask().await.unwrap_err().to_string();
    assert_eq!(
        text,
        format!(
            "User: {arn} is not authorized to perform: ecr:GetAuthorizationToken on resource: * \
             because no identity-based policy allows the ecr:GetAuthorizationToken action"
        )
    );
    let may = allow("ecr:GetAuthorizationToken");
    people.inline(ACCOUNT, &id, "p", &may).await;
    assert!(ask().await.is_ok());
}

#[tokio::test]
async fn looking_for_a_blob_needs_the_push_or_the_pull_action() {
    let t = TestCore::start().await;
    let people = People(&t);
    t.repository("app").await;
    let digest = t.blob("app", b"layer").await;
    let id = people.user(ACCOUNT, "alice").await;
    let alice = people.caller(&id).await;
    let head = || {
        t.run_as(
            alice.clone(),
            HeadBlob {
                repository: t.at("app"),
                digest,
            },
        )
    };
    let text = head().await.unwrap_err().to_string();
    assert!(text.contains("perform: ecr:BatchCheckLayerAvailability on"));
    for action in [
        "ecr:BatchCheckLayerAvailability",
        "ecr:GetDownloadUrlForLayer",
    ] {
        people.inline(ACCOUNT, &id, "p", &allow(action)).await;
        assert_eq!(head().await.unwrap(), 5, "{action}");
        people.take(ACCOUNT, &id, "p").await;
        assert!(head().await.is_err(), "{action}");
    }
}

#[tokio::test]
async fn making_a_repository_with_tags_needs_to_tag_it_too() {
    let t = TestCore::start().await;
    let people = People(&t);
    let id = people.user(ACCOUNT, "alice").await;
    let create = allow("ecr:CreateRepository");
    people.inline(ACCOUNT, &id, "p", &create).await;
    let alice = people.caller(&id).await;
    let tags = json!([{"Key": "team", "Value": "red"}]);
    let make = |name: &str| {
        let input = json!({"repositoryName": name, "tags": tags});
        t.call_as::<CreateRepository>(alice.clone(), input)
    };
    let text = make("tagged").await.unwrap_err().to_string();
    assert!(text.contains("perform: ecr:TagResource on"), "{text}");
    let bare = json!({"repositoryName": "bare"});
    assert!(
        t.call_as::<CreateRepository>(alice.clone(), bare)
            .await
            .is_ok()
    );
    people
        .inline(ACCOUNT, &id, "t", &allow("ecr:TagResource"))
        .await;
    assert!(make("tagged").await.is_ok());
}

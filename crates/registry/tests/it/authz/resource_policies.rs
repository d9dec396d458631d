use longshore_registry::op::{
    registry::{DeleteRegistryPolicy, GetRegistryPolicy, PutRegistryPolicy},
    repository::{DeleteRepositoryPolicy, GetRepositoryPolicy, SetRepositoryPolicy},
};
use serde_json::{Value, json};

use super::people::{People, allow, grant, policy};
use crate::harness::{ACCOUNT, OTHER, TestCore, name_of};

const OF_APP: fn() -> Value = || json!({"repositoryName": "app"});

fn set(text: &str) -> Value {
    json!({"repositoryName": "app", "policyText": text})
}

#[tokio::test]
async fn a_repository_policy_is_kept_as_it_was_given() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let none = (
        "RepositoryPolicyNotFound".to_owned(),
        format!(
            "Repository policy does not exist for the repository with name 'app' in the registry with id '{ACCOUNT}'"
        ),
    );
    assert_eq!(t.refused::<GetRepositoryPolicy>(OF_APP()).await, none);
    assert_eq!(t.refused::<DeleteRepositoryPolicy>(OF_APP()).await, none);
    let text = format!(
        "{{ \"Version\" : \"2008-10-17\",\n \"Statement\": [ {{\"Sid\": \"pull it\", \"Effect\":\"Allow\", \
         \"Principal\": {{\"AWS\": [\"{ACCOUNT}\"]}}, \"Action\": [\"ecr:BatchGetImage\"]}} ] }}"
    );
    let answer = json!({"registryId": ACCOUNT, "repositoryName": "app", "policyText": text});
    assert_eq!(t.ok::<SetRepositoryPolicy>(set(&text)).await, answer);
    assert_eq!(t.ok::<GetRepositoryPolicy>(OF_APP()).await, answer);
    let other = grant("ecr:ListImages", ACCOUNT).to_string();
    t.ok::<SetRepositoryPolicy>(set(&other)).await;
    let deleted = t.ok::<DeleteRepositoryPolicy>(OF_APP()).await;
    assert_eq!(deleted["policyText"], other);
    assert_eq!(t.refused::<GetRepositoryPolicy>(OF_APP()).await, none);
}

#[tokio::test]
async fn a_registry_policy_is_kept_as_it_was_given() {
    let t = TestCore::start().await;
    let none = (
        "RegistryPolicyNotFound".to_owned(),
        format!("Registry policy does not exist in the registry with id '{ACCOUNT}'"),
    );
    assert_eq!(t.refused::<GetRegistryPolicy>(json!({})).await, none);
    assert_eq!(t.refused::<DeleteRegistryPolicy>(json!({})).await, none);
    let text = grant("ecr:ReplicateImage", ACCOUNT).to_string();
    let answer = json!({"registryId": ACCOUNT, "policyText": text});
    let put = json!({"policyText": text});
    assert_eq!(t.ok::<PutRegistryPolicy>(put).await, answer);
    assert_eq!(t.ok::<GetRegistryPolicy>(json!({})).await, answer);
    assert_eq!(t.ok::<DeleteRegistryPolicy>(json!({})).await, answer);
    assert_eq!(t.refused::<GetRegistryPolicy>(json!({})).await, none);
}

#[tokio::test]
async fn what_is_no_policy_or_names_nobody_is_refused() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let nobody = format!("arn:aws:iam::{ACCOUNT}:user/nobody");
    let in_session = format!("arn:aws:sts::{ACCOUNT}:assumed-role/nothing/run");
    for bad in [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        allow("ecr:*").to_string(),
        grant("s3:GetObject", ACCOUNT).to_string(),
        grant("ecr:*", "nonsense").to_string(),
        grant("ecr:*", &nobody).to_string(),
        grant("ecr:*", &in_session).to_string(),
        grant("ecr:*", "AIDAQQQQQQQQQQQQQQQQQ").to_string(),
        grant("ecr:*", OTHER).to_string(),
        grant("ecr:*", &format!("arn:aws:iam::{OTHER}:root")).to_string(),
    ] {
        for (outcome, kind) in [
            (
                t.refused::<SetRepositoryPolicy>(set(&bad)).await,
                "repository",
            ),
            (
                t.refused::<PutRegistryPolicy>(json!({"policyText": bad}))
                    .await,
                "registry",
            ),
        ] {
            let text = format!(
                "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid {kind} policy provided'"
            );
            assert_eq!(outcome, ("InvalidParameter".to_owned(), text), "{bad}");
        }
    }
    let long = format!("{}{}", grant("ecr:*", ACCOUNT), " ".repeat(10_240));
    let (name, text) = t.refused::<SetRepositoryPolicy>(set(&long)).await;
    assert_eq!(name, "InvalidParameter");
    assert!(text.contains("less than or equal to 10240"), "{text}");
}

#[tokio::test]
async fn who_is_named_is_shown_by_id_once_gone_and_by_the_new_name_once_renamed() {
    let t = TestCore::start().await;
    let people = People(&t);
    t.repository("app").await;
    let user = people.user(ACCOUNT, "alice").await;
    let role = people.role(ACCOUNT, "ci").await;
    let user_arn = format!("arn:aws:iam::{ACCOUNT}:user/alice");
    let session_arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/ci/run-1");
    let document = policy(
        "Allow",
        "ecr:*",
        "*",
        &json!({"Principal": {"AWS": [user_arn, session_arn, ACCOUNT, "*"]}}),
    );
    t.ok::<SetRepositoryPolicy>(set(&document.to_string()))
        .await;
    let principals = async || {
        let answer = t.ok::<GetRepositoryPolicy>(OF_APP()).await;
        let text = answer["policyText"].as_str().unwrap();
        let document: Value = serde_json::from_str(text).unwrap();
        document["Statement"][0]["Principal"]["AWS"].clone()
    };
    assert_eq!(
        principals().await,
        json!([user_arn, session_arn, ACCOUNT, "*"])
    );
    people.remove(ACCOUNT, &user).await;
    assert_eq!(principals().await, json!([user, session_arn, ACCOUNT, "*"]));
    people.remove(ACCOUNT, &role).await;
    assert_eq!(principals().await, json!([user, role, ACCOUNT, "*"]));
    // A policy that names who is gone is not set again.
    let text = policy("Allow", "ecr:*", "*", &json!({"Principal": {"AWS": user}}));
    let (name, _) = t
        .refused::<SetRepositoryPolicy>(set(&text.to_string()))
        .await;
    assert_eq!(name, "InvalidParameter");
}

#[tokio::test]
async fn who_would_lock_itself_out_must_say_force() {
    let t = TestCore::start().await;
    let people = People(&t);
    t.repository("app").await;
    let id = people.user(ACCOUNT, "alice").await;
    people.inline(ACCOUNT, &id, "p", &allow("ecr:*")).await;
    let alice = people.caller(&id).await;
    let deny = |action: &str| policy("Deny", action, "*", &json!({"Principal": "*"})).to_string();
    let call = |input: Value| t.call_as::<SetRepositoryPolicy>(alice.clone(), input);
    assert!(call(set(&deny("ecr:PutImage"))).await.is_ok());
    for locking in [deny("ecr:SetRepositoryPolicy"), deny("ecr:*")] {
        let refused = call(set(&locking)).await.unwrap_err();
        assert_eq!(name_of(&refused), "InvalidParameter", "{locking}");
    }
    let mut forced = set(&deny("ecr:*"));
    forced["force"] = json!(true);
    assert!(call(forced).await.is_ok());
    let refused = call(set(&deny("ecr:PutImage"))).await.unwrap_err();
    assert_eq!(name_of(&refused), "AccessDenied");
    // The account's root is never locked out, so it needs no force.
    t.ok::<SetRepositoryPolicy>(set(&deny("ecr:*"))).await;
    t.ok::<DeleteRepositoryPolicy>(OF_APP()).await;
    assert!(call(set(&deny("ecr:PutImage"))).await.is_ok());
}

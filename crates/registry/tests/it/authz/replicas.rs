//! Two servers over one store: each remembers by itself, and each sees what the other did on its next request.

use longshore_registry::{
    op::{
        image::ListImages,
        registry::{DeleteRegistryPolicy, PutRegistryPolicy},
        repository::{DeleteRepositoryPolicy, SetRepositoryPolicy},
        resource::TagResource,
    },
    principal::Caller,
};
use serde_json::{Value, json};

use super::people::{People, allow, grant, policy};
use crate::harness::{ACCOUNT, OTHER, TestCore, name_of};

/// What both answer, each with its own idea of who calls; they must agree.
async fn outcome(both: [&TestCore; 2], id: &str) -> String {
    let mut outcomes = Vec::new();
    for t in both {
        let caller: Caller = People(t).caller(id).await;
        let input = json!({"repositoryName": "app", "registryId": ACCOUNT});
        let answer = t.call_as::<ListImages>(caller, input).await;
        outcomes.push(answer.map_or_else(|error| name_of(&error), |_| "allowed".to_owned()));
    }
    outcomes.dedup();
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    outcomes.remove(0)
}

fn set(document: &Value) -> Value {
    json!({"repositoryName": "app", "policyText": document.to_string()})
}

#[tokio::test]
async fn what_one_changes_the_other_sees_on_its_next_request() {
    let one = TestCore::start().await;
    let two = one.replica().await;
    let both = [&one, &two];
    let people = People(&one);
    people.account(OTHER).await;
    one.repository("app").await;
    let id = people.user(OTHER, "bob").await;
    assert_eq!(outcome(both, &id).await, "AccessDenied");
    people.inline(OTHER, &id, "p", &allow("ecr:*")).await;
    assert_eq!(outcome(both, &id).await, "AccessDenied");

    // The repository's policy, by either.
    let open = set(&grant("ecr:ListImages", OTHER));
    for (setter, remover) in [(&one, &two), (&two, &one)] {
        setter.ok::<SetRepositoryPolicy>(open.clone()).await;
        assert_eq!(outcome(both, &id).await, "allowed");
        let of = json!({"repositoryName": "app"});
        remover.ok::<DeleteRepositoryPolicy>(of).await;
        assert_eq!(outcome(both, &id).await, "AccessDenied");
    }
    // The registry's policy.
    let open = json!({"policyText": grant("ecr:ListImages", OTHER).to_string()});
    two.ok::<PutRegistryPolicy>(open).await;
    assert_eq!(outcome(both, &id).await, "allowed");
    one.ok::<DeleteRegistryPolicy>(json!({})).await;
    assert_eq!(outcome(both, &id).await, "AccessDenied");
    // The repository's tags.
    let tagged = json!({"StringEquals": {"aws:ResourceTag/open": "yes"}});
    let statement = json!({"Principal": {"AWS": OTHER}, "Condition": tagged});
    let when_tagged = policy("Allow", "ecr:ListImages", "*", &statement);
    one.ok::<SetRepositoryPolicy>(set(&when_tagged)).await;
    assert_eq!(outcome(both, &id).await, "AccessDenied");
    let arn = format!("arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/app");
    let tag = json!({"resourceArn": arn, "tags": [{"Key": "open", "Value": "yes"}]});
    two.ok::<TagResource>(tag).await;
    assert_eq!(outcome(both, &id).await, "allowed");
    // The caller's own policies.
    people.take(OTHER, &id, "p").await;
    assert_eq!(outcome(both, &id).await, "AccessDenied");
}

#[tokio::test]
async fn a_repository_made_again_by_one_is_new_to_the_other() {
    let one = TestCore::start().await;
    let two = one.replica().await;
    let both = [&one, &two];
    let people = People(&one);
    let id = people.user(ACCOUNT, "alice").await;
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/alice");
    one.repository("app").await;
    let open = set(&grant("ecr:ListImages", &arn));
    one.ok::<SetRepositoryPolicy>(open).await;
    assert_eq!(outcome(both, &id).await, "allowed");
    two.delete_repository("app").await;
    assert_eq!(outcome(both, &id).await, "AccessDenied");
    two.repository("app").await;
    assert_eq!(outcome(both, &id).await, "AccessDenied");
}

//! How many statements a decision costs.

use longshore_registry::{
    Error,
    oci::{blob::HeadBlob, upload::StartUpload},
    principal::Caller,
};
use serde_json::json;

use super::people::{People, allow, grant, policy};
use crate::authz::decisions::set_policy;
use crate::harness::{ACCOUNT, TestCore, digest_of};

async fn head(t: &TestCore, caller: Caller) -> Result<u64, Error> {
    let head = HeadBlob {
        repository: t.at("app"),
        digest: digest_of(b"layer"),
    };
    t.run_as(caller, head).await
}

/// The statements that a request of the principal costs, from its credentials on.
async fn cost(t: &TestCore, id: &str) -> u64 {
    let before = t.core.meta.counters().statements;
    let caller = People(t).caller(id).await;
    let _ = head(t, caller).await;
    t.core.meta.counters().statements - before
}

/// A repository with a blob, a policy and tags, in a registry with settings; a user with many policies.
async fn scene(t: &TestCore) -> String {
    let people = People(t);
    t.repository("app").await;
    t.blob("app", b"layer").await;
    set_policy(t, "app", &grant("ecr:ListImages", ACCOUNT)).await;
    let id = people.user(ACCOUNT, "alice").await;
    let group = people.group(ACCOUNT, "team", &id).await;
    for idx in 0..50 {
        let resource = format!("arn:aws:ecr:*:*:repository/other-{idx}");
        let document = policy("Allow", "ecr:*", &resource, &json!({}));
        let arn = people.managed(ACCOUNT, &format!("m{idx}"), &document).await;
        people
            .attach(ACCOUNT, if idx % 2 == 0 { &id } else { &group }, &arn)
            .await;
    }
    people.tag(ACCOUNT, &id, "team", "red").await;
    id
}

#[tokio::test]
async fn a_warm_request_is_one_statement_and_each_cold_side_one_more() {
    let t = TestCore::start().await;
    let id = scene(&t).await;
    let people = People(&t);
    people.inline(ACCOUNT, &id, "p", &allow("ecr:*")).await;
    let cold = t.replica().await;
    assert_eq!(cost(&cold, &id).await, 3, "principal, repository, blob");
    assert_eq!(cost(&cold, &id).await, 1, "the blob alone");
    // What changed is found stale by the blob's statement, read again, and the blob with it.
    people.tag(ACCOUNT, &id, "more", "x").await;
    assert_eq!(cost(&cold, &id).await, 4);
    assert_eq!(cost(&cold, &id).await, 1);
}

#[tokio::test]
async fn nobody_costs_nothing_where_no_policy_can_let_it_in() {
    let t = TestCore::start().await;
    scene(&t).await;
    let before = t.core.meta.counters().statements;
    let start = StartUpload {
        repository: t.at("app"),
        mount: None,
        sha512: false,
    };
    let refused = t.run_as(Caller::Anonymous, start).await;
    assert!(matches!(refused, Err(Error::AuthenticationRequired)));
    assert_eq!(t.core.meta.counters().statements, before);
}

#[tokio::test]
async fn a_refusal_is_proven_by_one_statement() {
    let t = TestCore::start().await;
    let id = scene(&t).await;
    let cold = t.replica().await;
    cost(&cold, &id).await;
    assert_eq!(cost(&cold, &id).await, 1);
    let before = t.core.meta.counters().statements;
    for _ in 0..2 {
        assert!(head(&t, Caller::Anonymous).await.is_err());
    }
    let spent = t.core.meta.counters().statements - before;
    assert!(spent <= 3, "{spent}");
}

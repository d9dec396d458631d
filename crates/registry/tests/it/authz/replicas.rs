//! Two servers over one store: each remembers by itself, and each sees what the other did on its next request.

use longshore_registry::{
    oci::blob::DownloadLayer,
    op::{
        image::ListImages,
        layer::GetDownloadUrlForLayer,
        registry::{DeleteRegistryPolicy, PutRegistryPolicy},
        repository::{DeleteRepositoryPolicy, SetRepositoryPolicy},
        resource::TagResource,
    },
    principal::Caller,
    token::{LayerGrant, Purpose},
};
use serde_json::{Value, json};

use super::people::{People, allow, grant, policy};
use crate::harness::{ACCOUNT, OTHER, TestCore, digest_of, name_of};

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

/// The URL of the one layer in `app` that `caller` gets from `t`.
async fn url(t: &TestCore, caller: &Caller) -> LayerGrant {
    let digest = digest_of(b"layer of one").to_string();
    let input = json!({"repositoryName": "app", "registryId": ACCOUNT, "layerDigest": digest});
    let answer = t.call_as::<GetDownloadUrlForLayer>(caller.clone(), input);
    let url = answer.await.unwrap()["downloadUrl"].take();
    let (_, sealed) = url.as_str().unwrap().split_once("grant=").unwrap();
    t.core.tokens.open(Purpose::Layer, sealed).unwrap()
}

/// A download by a layer URL of `caller` on the server `t`.
async fn download(t: &TestCore, caller: &Caller, grant: &LayerGrant) -> String {
    let operation = DownloadLayer {
        grant: grant.clone(),
        range: None,
    };
    let answer = t.run_as(caller.clone(), operation).await;
    answer.map_or_else(|error| name_of(&error), |_| "allowed".to_owned())
}

#[tokio::test]
async fn a_layer_url_follows_what_was_changed_elsewhere() {
    let one = TestCore::start().await;
    let two = one.replica().await;
    let people = People(&one);
    people.account(OTHER).await;
    one.repository("app").await;
    one.image("app", "one", None).await;
    let id = people.user(OTHER, "bob").await;
    people.inline(OTHER, &id, "p", &allow("ecr:*")).await;
    let open = set(&grant("ecr:GetDownloadUrlForLayer", OTHER));
    one.ok::<SetRepositoryPolicy>(open.clone()).await;
    let bob = People(&two).caller(&id).await;
    let url = url(&two, &bob).await;
    assert_eq!(download(&two, &bob, &url).await, "allowed");

    // A change of the account that decides nothing about it.
    people.user(ACCOUNT, "carol").await;
    assert_eq!(download(&two, &bob, &url).await, "allowed");
    // The repository's policy goes and comes back, by the other server.
    let of = json!({"repositoryName": "app"});
    one.ok::<DeleteRepositoryPolicy>(of).await;
    assert_eq!(download(&two, &bob, &url).await, "AccessDenied");
    one.ok::<SetRepositoryPolicy>(open).await;
    assert_eq!(download(&two, &bob, &url).await, "allowed");
    // A new incarnation of the name is not it.
    one.delete_repository("app").await;
    one.repository("app").await;
    assert_eq!(download(&two, &bob, &url).await, "BlobUnknown");
}

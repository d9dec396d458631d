//! Rate quotas.

use std::time::Duration;

use longshore_registry::{
    Error,
    oci::{
        Ping,
        tags::ListTags,
        upload::{PushBlob, StartUpload},
    },
    op::{
        image::{BatchGetImage, ListImages},
        layer::InitiateLayerUpload,
        registry::GetAuthorizationToken,
    },
    principal::Caller,
};
use serde_json::json;

use crate::{
    authz::people::{People, allow},
    harness::{ACCOUNT, TestCore, digest_of},
};

async fn with(quotas: &[&str]) -> TestCore {
    let quotas = quotas.iter().map(|text| text.parse().unwrap()).collect();
    let t = TestCore::with(|settings| settings.rate_quotas = quotas).await;
    t.repository("app").await;
    t
}

async fn list(t: &TestCore) -> Result<(), Error> {
    let input = json!({"repositoryName": "app"});
    t.call::<ListImages>(input).await.map(drop)
}

fn tags(t: &TestCore) -> ListTags {
    ListTags {
        repository: t.at("app"),
        last: String::new(),
        n: 10,
    }
}

fn wait_of<T>(done: Result<T, Error>) -> Duration {
    match done {
        Err(Error::Throttled(wait)) => wait,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was not throttled"),
    }
}

#[tokio::test]
async fn nothing_is_throttled_unless_it_is_asked_for() {
    let t = with(&[]).await;
    for _ in 0..300 {
        list(&t).await.unwrap();
    }
}

#[tokio::test]
async fn a_burst_is_served_and_then_the_rate() {
    let t = with(&["ListImages=2:3"]).await;
    for _ in 0..3 {
        list(&t).await.unwrap();
    }
    assert_eq!(wait_of(list(&t).await), Duration::from_millis(500));
    t.advance(Duration::from_millis(500));
    list(&t).await.unwrap();
    wait_of(list(&t).await);
    t.advance(Duration::from_hours(1));
    for _ in 0..3 {
        list(&t).await.unwrap();
    }
    wait_of(list(&t).await);
}

#[tokio::test]
async fn v2_counts_as_the_action_that_it_stands_for() {
    let t = with(&["ListImages=1:2", "UploadLayerPart=1"]).await;
    t.run(tags(&t)).await.unwrap();
    list(&t).await.unwrap();
    wait_of(t.run(tags(&t)).await);
    wait_of(list(&t).await);
    // A blob in one request is a start, a part and an end.
    let push = |bytes: &'static [u8]| PushBlob {
        repository: t.at("app"),
        digest: digest_of(bytes),
        body: Box::new(longshore_registry::body::Whole::new(bytes.into())),
    };
    t.run(push(b"one")).await.unwrap();
    wait_of(t.run(push(b"two")).await);
}

#[tokio::test]
async fn a_ping_is_no_login() {
    let t = with(&["GetAuthorizationToken=1"]).await;
    for _ in 0..3 {
        t.run(Ping).await.unwrap();
    }
    t.ok::<GetAuthorizationToken>(json!({})).await;
    wait_of(t.call::<GetAuthorizationToken>(json!({})).await);
}

#[tokio::test]
async fn one_action_does_not_use_up_another() {
    let t = with(&["ListImages=1"]).await;
    list(&t).await.unwrap();
    wait_of(list(&t).await);
    let input = json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}]});
    t.ok::<BatchGetImage>(input).await;
}

#[tokio::test]
async fn a_quota_per_principal_counts_beside_that_of_the_account() {
    let t = with(&["ListImages=1:5", "ListImages=1:2/principal"]).await;
    list(&t).await.unwrap();
    list(&t).await.unwrap();
    wait_of(list(&t).await);
    // Somebody else has a bucket of their own, and shares the account's.
    let people = People(&t);
    let id = people.user(ACCOUNT, "bob").await;
    people
        .inline(ACCOUNT, &id, "list", &allow("ecr:ListImages"))
        .await;
    let bob = people.caller(&id).await;
    t.run_as(bob.clone(), tags(&t)).await.unwrap();
    t.run_as(bob.clone(), tags(&t)).await.unwrap();
    wait_of(t.run_as(bob, tags(&t)).await);
    let throttled: u64 = t.core.rates.throttled().map(|(.., n_calls)| n_calls).sum();
    assert_eq!(throttled, 2);
}

#[tokio::test]
async fn nobody_uses_up_what_an_account_has() {
    let t = with(&["InitiateLayerUpload=1"]).await;
    let start = || StartUpload {
        repository: t.at("app"),
        mount: None,
        sha512: false,
    };
    for refusal in ["authentication required", "Rate exceeded"] {
        let refused = t.run_as(Caller::Anonymous, start()).await.unwrap_err();
        assert_eq!(refused.to_string(), refusal);
    }
    let input = json!({"repositoryName": "app"});
    t.ok::<InitiateLayerUpload>(input).await;
}

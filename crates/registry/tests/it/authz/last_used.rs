use std::time::Duration;

use longshore_registry::{
    Error, iam::access_key::GetAccessKeyLastUsed, job, op::image::ListImages,
    op::repository::DescribeRepositories, principal::Credential, session::SessionKind,
};
use longshore_store::meta::Value as Arg;
use serde_json::{Value, json};

use super::people::People;
use crate::harness::{ACCOUNT, TestCore};

/// Longer than a use waits to be written.
const WRITTEN: Duration = Duration::from_secs(11);

async fn last_used(t: &TestCore) -> Value {
    let known = t.caller.known().unwrap();
    let Credential::AccessKey(key) = &known.credential else {
        panic!("the administrator has a key");
    };
    let input = json!({"AccessKeyId": key});
    let answer = t.ok::<GetAccessKeyLastUsed>(input).await;
    answer["AccessKeyLastUsed"].clone()
}

async fn role_last_used(t: &TestCore, id: &str) -> Option<(i64, String)> {
    let id = id.to_owned();
    let sql = "SELECT last_used_at, last_used_region FROM principal WHERE id = ?1 AND last_used_at IS NOT NULL";
    let read = t.core.meta.query(move |tx| tx.row(sql, &[Arg::from(&id)]));
    read.await.unwrap()
}

#[tokio::test]
async fn a_use_of_a_key_is_written_a_little_later() {
    let t = TestCore::start().await;
    t.ok::<DescribeRepositories>(json!({})).await;
    job::tick(&t.core).await.unwrap();
    assert_eq!(last_used(&t).await["ServiceName"], "N/A");
    t.advance(WRITTEN);
    t.ok::<DescribeRepositories>(json!({})).await;
    job::tick(&t.core).await.unwrap();
    let used = last_used(&t).await;
    assert_eq!(
        (&used["ServiceName"], &used["Region"]),
        (&json!("ecr"), &json!("eu-central-1"))
    );
    // Asking was a use, too.
    t.advance(WRITTEN);
    job::tick(&t.core).await.unwrap();
    assert_eq!(last_used(&t).await["ServiceName"], "iam");
}

#[tokio::test]
async fn a_server_that_stops_writes_what_waits() {
    let t = TestCore::start().await;
    t.ok::<DescribeRepositories>(json!({})).await;
    job::finish(&t.core).await.unwrap();
    assert_eq!(last_used(&t).await["ServiceName"], "ecr");
}

#[tokio::test]
async fn a_use_of_a_role_is_one_of_its_sessions_even_when_refused() {
    let t = TestCore::start().await;
    let people = People(&t);
    let role = people.role(ACCOUNT, "ci").await;
    let user = people.user(ACCOUNT, "alice").await;
    let started = t.core.meta.now().as_millis();
    for (id, kind) in [
        (&role, SessionKind::AssumedRole),
        (&user, SessionKind::SessionToken),
    ] {
        let caller = people.session(id, kind, None).await;
        let input = json!({"repositoryName": "app"});
        let refused = t.call_as::<ListImages>(caller, input).await;
        assert!(matches!(refused, Err(Error::AccessDenied(_))));
    }
    t.advance(WRITTEN);
    t.sweep().await;
    let expected = (started, "eu-central-1".to_owned());
    assert_eq!(role_last_used(&t, &role).await, Some(expected));
    assert_eq!(role_last_used(&t, &user).await, None);
}

#[tokio::test]
async fn an_earlier_use_that_is_written_later_is_passed_over() {
    let t = TestCore::start().await;
    let replica = t.replica().await;
    t.ok::<DescribeRepositories>(json!({})).await;
    t.advance(WRITTEN);
    last_used(&replica).await;
    t.advance(WRITTEN);
    for one in [&replica, &t] {
        job::tick(&one.core).await.unwrap();
    }
    assert_eq!(last_used(&t).await["ServiceName"], "iam");
}

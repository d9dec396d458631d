//! Sessions in time, by a clock that is told when to move.

use std::time::Duration;

use longshore_registry::{
    op::registry::GetAuthorizationToken,
    principal::Caller,
    session::{self, Signer},
    sts::GetSessionToken,
    token::{Holder, RegistryToken},
};
use longshore_types::time::Timestamp;
use serde_json::{Value, json};

use crate::harness::TestCore;

async fn signer(t: &TestCore, credentials: &Value) -> Signer {
    let text = |name: &str| credentials[name].as_str().unwrap();
    session::signer(&t.core, text("AccessKeyId"), Some(text("SessionToken")))
        .await
        .unwrap()
}

fn caller(signer: Signer) -> Caller {
    match signer {
        Signer::Known(key) => Caller::Known(key.known),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_session_ends_to_the_millisecond() {
    let t = TestCore::start().await;
    let made = t
        .ok::<GetSessionToken>(json!({ "DurationSeconds": 900 }))
        .await;
    let credentials = &made["Credentials"];
    assert_eq!(credentials["Expiration"], json!(1_700_000_900.123));
    t.advance(Duration::from_millis(899_999));
    assert!(matches!(signer(&t, credentials).await, Signer::Known(_)));
    t.advance(Duration::from_millis(1));
    assert!(matches!(signer(&t, credentials).await, Signer::Expired));
}

#[tokio::test]
async fn a_password_ends_with_its_session() {
    let t = TestCore::start().await;
    let made = t
        .ok::<GetSessionToken>(json!({ "DurationSeconds": 900 }))
        .await;
    t.advance(Duration::from_mins(10));
    let session = caller(signer(&t, &made["Credentials"]).await);
    let operation: GetAuthorizationToken = serde_json::from_value(json!({})).unwrap();
    let output = t.run_as(session.clone(), operation).await.unwrap();
    let output = serde_json::to_value(output).unwrap();
    assert_eq!(
        output["authorizationData"][0]["expiresAt"],
        json!(1_700_000_900.123)
    );
    let now = t.core.meta.now();
    let holder = Holder::of(&session).unwrap();
    let token = RegistryToken::new(Some(holder), &t.registry(), now);
    let left = Timestamp::from_millis(token.expires_at).since(now);
    assert_eq!(left, Duration::from_mins(5));
}

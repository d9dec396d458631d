//! Whoever fails to authenticate again and again is slowed down, and nobody else.

use longshore::first_start::Credentials;
use longshore_registry::bootstrap::AdministratorKey;
use serde_json::json;

use crate::harness::{Answer, TestServer};

/// A server behind a proxy that tells it where clients are.
async fn proxied() -> TestServer {
    TestServer::with(|config| {
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        config.metrics_listen = Some("127.0.0.1:0".to_owned());
    })
    .await
}

/// Calls the API from `client`, perhaps with a secret that is guessed.
async fn call(t: &TestServer, client: &str, guess: Option<&str>) -> Answer {
    let mut credentials = t.credentials.clone();
    if let Some(guess) = guess {
        guess.clone_into(&mut credentials.key.secret);
    }
    let call = t
        .call("DescribeRegistry", &json!({}))
        .header("X-Forwarded-For", client);
    TestServer::sign_as(call, &credentials, "ecr").send().await
}

#[tokio::test]
async fn guesses_of_a_secret_are_slowed_down_where_they_come_from() {
    let t = proxied().await;
    for at in 0..10 {
        let refused = call(&t, "192.0.2.1", Some(&format!("guess {at}"))).await;
        assert_eq!(refused.expect(400).fault(), "InvalidSignatureException");
    }
    // Not even the right one is looked at, or guessing would pay.
    for guess in [Some("guess"), None] {
        let refused = call(&t, "192.0.2.1", guess).await.expect(400);
        assert_eq!(refused.fault(), "ThrottlingException");
        let text = "Too many failed attempts to authenticate. Try again later.";
        assert_eq!(refused.json()["message"], text);
    }
    call(&t, "192.0.2.2", None).await.expect(200);
    let metrics = t.metrics().await;
    for counted in [
        "longshore_failed_authentications_total 10",
        "longshore_refused_authentications_total 2",
    ] {
        assert!(metrics.contains(counted), "{metrics}");
    }
}

#[tokio::test]
async fn an_owner_who_was_right_lately_stays_in() {
    let t = proxied().await;
    call(&t, "192.0.2.1", None).await.expect(200);
    for _ in 0..20 {
        call(&t, "192.0.2.1", Some("guess")).await.expect(400);
        call(&t, "192.0.2.1", None).await.expect(200);
    }
}

#[tokio::test]
async fn the_query_protocol_counts_too() {
    let t = proxied().await;
    let list = |secret: &str| {
        let mut credentials = t.credentials.clone();
        secret.clone_into(&mut credentials.key.secret);
        let call = t
            .request("POST", "/")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("X-Forwarded-For", "192.0.2.1")
            .body("Action=GetAccountSummary&Version=2010-05-08");
        TestServer::sign_as(call, &credentials, "iam").send()
    };
    for _ in 0..10 {
        let refused = list("guess").await.expect(403).text();
        assert!(
            refused.contains("<Code>SignatureDoesNotMatch</Code>"),
            "{refused}"
        );
    }
    let refused = list(&t.credentials.key.secret).await.expect(400).text();
    assert!(refused.contains("<Code>Throttling</Code>"), "{refused}");
}

#[tokio::test]
async fn passwords_and_keys_that_are_nobodys_are_slowed_down_together() {
    let t = proxied().await;
    t.create("app").await;
    let password = t.password().await;
    let tags = |client: &str, password: &str| {
        t.v2(password, "GET", "app/tags/list")
            .header("X-Forwarded-For", client)
            .send()
    };
    for at in 0..199 {
        tags("192.0.2.1", &format!("guess {at}")).await.expect(401);
    }
    let stranger = Credentials {
        key: AdministratorKey {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "guess".to_owned(),
        },
        ..t.credentials.clone()
    };
    let by_stranger = || {
        let call = t
            .call("DescribeRegistry", &json!({}))
            .header("X-Forwarded-For", "192.0.2.1");
        TestServer::sign_as(call, &stranger, "ecr").send()
    };
    let refused = by_stranger().await.expect(403);
    assert_eq!(refused.fault(), "UnrecognizedClientException");
    let refused = by_stranger().await.expect(400);
    assert_eq!(refused.fault(), "ThrottlingException");
    let refused = tags("192.0.2.1", "guess").await.expect(429);
    assert_eq!(refused.error().0, "TOOMANYREQUESTS");
    assert!(refused.header("retry-after").is_some());
    tags("192.0.2.2", "guess").await.expect(401);
    // What is right is right from anywhere.
    tags("192.0.2.1", &password).await.expect(200);
    call(&t, "192.0.2.1", None).await.expect(200);
}

#[tokio::test]
async fn tokens_of_no_identity_provider_are_slowed_down() {
    let t = proxied().await;
    let assume = |client: &str| {
        t.request("POST", "/")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("X-Forwarded-For", client)
            .body(
                "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=ci\
                 &RoleArn=arn%3Aaws%3Aiam%3A%3A000000000000%3Arole%2Fci&WebIdentityToken=guess",
            )
            .send()
    };
    for _ in 0..200 {
        let refused = assume("192.0.2.1").await.expect(400);
        assert_eq!(refused.refusal(), "InvalidIdentityToken");
    }
    assert_eq!(
        assume("192.0.2.1").await.expect(400).refusal(),
        "Throttling"
    );
    let refused = assume("192.0.2.2").await.expect(400);
    assert_eq!(refused.refusal(), "InvalidIdentityToken");
}

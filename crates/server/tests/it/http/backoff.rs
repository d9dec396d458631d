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

/// Asks until it is told to wait; answers how often it was not, and what it is told. How fast it asks does not matter.
async fn until_throttled(mut ask: impl AsyncFnMut(usize) -> Answer) -> (usize, Answer) {
    for n_asked in 0..2000 {
        let answer = ask(n_asked).await;
        let text = answer.text();
        if [
            "ThrottlingException",
            "<Code>Throttling<",
            "TOOMANYREQUESTS",
        ]
        .iter()
        .any(|code| text.contains(code))
        {
            return (n_asked, answer);
        }
    }
    panic!("nothing was throttled");
}

#[tokio::test]
async fn guesses_of_a_secret_are_slowed_down_where_they_come_from() {
    let t = proxied().await;
    let guess = async |at| {
        let refused = call(&t, "192.0.2.1", Some(&format!("guess {at}"))).await;
        let refused = refused.expect(400);
        let expected = ["InvalidSignatureException", "ThrottlingException"];
        assert!(expected.contains(&refused.fault().as_str()));
        refused
    };
    let (n_guesses, refused) = until_throttled(guess).await;
    assert!(n_guesses >= 10, "{n_guesses}");
    let text = "Too many failed attempts to authenticate. Try again later.";
    assert_eq!(refused.json()["message"], text);
    // Not even the right one is looked at, or guessing would pay.
    let refused = call(&t, "192.0.2.1", None).await.expect(400);
    assert_eq!(refused.fault(), "ThrottlingException");
    call(&t, "192.0.2.2", None).await.expect(200);
    let metrics = t.metrics().await;
    for counted in [
        format!("longshore_failed_authentications_total {n_guesses}\n"),
        "longshore_refused_authentications_total 2\n".to_owned(),
    ] {
        assert!(metrics.contains(&counted), "{metrics}");
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
    let (n_guesses, _) = until_throttled(async |_| list("guess").await).await;
    assert!(n_guesses >= 10, "{n_guesses}");
    let refused = list(&t.credentials.key.secret).await.expect(400);
    assert_eq!(refused.refusal(), "Throttling");
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
    let guess = async |at| tags("192.0.2.1", &format!("guess {at}")).await;
    let (n_guesses, refused) = until_throttled(guess).await;
    assert!(n_guesses >= 200, "{n_guesses}");
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
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
    let (n_guesses, _) = until_throttled(async |_| by_stranger().await).await;
    assert!(n_guesses < 100, "{n_guesses}");
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
    let (n_guesses, _) = until_throttled(async |_| assume("192.0.2.1").await).await;
    assert!(n_guesses >= 200, "{n_guesses}");
    let refused = assume("192.0.2.2").await.expect(400);
    assert_eq!(refused.refusal(), "InvalidIdentityToken");
}

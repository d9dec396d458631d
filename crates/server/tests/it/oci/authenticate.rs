use base64::{Engine as _, engine::general_purpose::STANDARD};
use longshore_registry::token::{Holder, Purpose, RegistryToken};
use longshore_types::time::Timestamp;

use crate::harness::{TestServer, basic};

#[tokio::test]
async fn all_documented_forms_of_credentials_are_taken() {
    let t = TestServer::start().await;
    let password = t.password().await;
    let token = STANDARD.encode(format!("AWS:{password}"));
    for credentials in [
        basic("AWS", &password),
        format!("Basic {token}"),
        format!("Bearer {password}"),
        format!("Bearer {token}"),
    ] {
        let ping = t
            .request("GET", "/v2/")
            .header("Authorization", credentials);
        ping.send().await.expect(200);
    }
}

#[tokio::test]
async fn anything_else_is_challenged() {
    let t = TestServer::start().await;
    let password = t.password().await;
    for credentials in [
        basic("root", &password),
        basic("AWS", "wrong"),
        basic("AWS", &format!("{password}x")),
        "Basic !!!".to_owned(),
        "Bearer wrong".to_owned(),
        "Negotiate abc".to_owned(),
        String::new(),
    ] {
        let ping = t
            .request("GET", "/v2/")
            .header("Authorization", credentials.clone());
        let refused = ping.send().await;
        assert_eq!(refused.status, 401, "{credentials}");
        assert!(
            refused.header("www-authenticate").is_some(),
            "{credentials}"
        );
    }
}

fn expired(t: &TestServer) -> String {
    let now: Timestamp = t.running.core.meta.now();
    let token = RegistryToken {
        holder: Some(Holder::Principal("000000000000".to_owned())),
        account: "000000000000".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        issued_at: now.as_millis() - 2,
        expires_at: now.as_millis() - 1,
    };
    t.running
        .core
        .tokens
        .seal(Purpose::Registry, &token)
        .unwrap()
}

#[tokio::test]
async fn an_expired_password_is_denied_with_ecrs_text() {
    let t = TestServer::start().await;
    let password = expired(&t);
    for path in ["/v2/", "/v2/app/manifests/v1", "/token/"] {
        let denied = t
            .request("GET", path)
            .header("Authorization", basic("AWS", &password))
            .send()
            .await
            .expect(403);
        let text = "Your authorization token has expired. Reauthenticate and try again.";
        assert_eq!(
            denied.error(),
            ("DENIED".to_owned(), text.to_owned()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_expired_bearer_is_challenged() {
    let t = TestServer::start().await;
    let password = expired(&t);
    let challenged = t
        .request("GET", "/v2/")
        .bearer(&password)
        .send()
        .await
        .expect(401);
    assert!(challenged.header("www-authenticate").is_some());
}

#[tokio::test]
async fn nobody_is_challenged_whatever_is_asked() {
    let t = TestServer::start().await;
    t.create("app").await;
    for (method, path) in [
        ("GET", "app/manifests/v1"),
        ("GET", "app/tags/list"),
        ("GET", "absent/tags/list"),
        ("POST", "app/blobs/uploads/"),
        ("GET", "_catalog"),
    ] {
        let refused = t.request(method, &format!("/v2/{path}")).send().await;
        assert_eq!(refused.status, 401, "{method} {path}");
        assert!(
            refused.header("www-authenticate").is_some(),
            "{method} {path}"
        );
    }
}

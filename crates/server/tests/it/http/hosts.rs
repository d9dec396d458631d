//! What a host means: challenges, registries and what is printed.

use serde_json::json;

use crate::harness::{Image, TestServer};

const PRIVATE: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";

async fn challenge(t: &TestServer, host: &str) -> String {
    let answer = t.request("GET", "/v2/").host(host).send().await.expect(401);
    assert_eq!(
        answer.header("docker-distribution-api-version"),
        Some("registry/2.0")
    );
    assert_eq!(answer.error().0, "UNAUTHORIZED");
    answer.header("www-authenticate").unwrap().to_owned()
}

#[tokio::test]
async fn private_hosts_challenge_as_ecr_does() {
    let t = TestServer::with(|config| config.domain = Some("ecr.test".to_owned())).await;
    for host in [
        PRIVATE,
        "000000000000.dkr-ecr.us-east-1.on.aws",
        "000000000000.dkr.ecr.us-east-1.ecr.test:5050",
    ] {
        let expected = format!(r#"Basic realm="https://{host}/",service="ecr.amazonaws.com""#);
        assert_eq!(challenge(&t, host).await, expected);
    }
}

#[tokio::test]
async fn all_other_hosts_challenge_with_the_token_endpoint() {
    let t = TestServer::start().await;
    for host in [
        "localhost:5050",
        "registry.example.com",
        "public.ecr.aws",
        "api.ecr.us-east-1.amazonaws.com",
    ] {
        let expected =
            format!(r#"Bearer realm="http://{host}/token/",service="{host}",scope="aws""#);
        assert_eq!(challenge(&t, host).await, expected);
    }
}

#[tokio::test]
async fn private_hosts_invite_anonymous_callers_when_the_operator_wishes() {
    let t = TestServer::with(|config| config.anonymous_challenge = true).await;
    let expected =
        format!(r#"Bearer realm="http://{PRIVATE}/token/",service="{PRIVATE}",scope="aws""#);
    assert_eq!(challenge(&t, PRIVATE).await, expected);
}

#[tokio::test]
async fn a_private_host_names_the_registry() {
    let t = TestServer::start().await;
    t.create("app").await;
    let password = t.password().await;
    t.push(&password, "app", "v1", &Image::new("one", 1)).await;
    let list = |host: &str| t.v2(&password, "GET", "app/tags/list").host(host).send();
    list(PRIVATE).await.expect(200);
    list(&format!("{PRIVATE}:5050")).await.expect(200);
    let foreign = list("111111111111.dkr.ecr.us-east-1.amazonaws.com")
        .await
        .expect(403);
    assert_eq!(foreign.error().0, "DENIED");
}

#[tokio::test]
async fn a_token_is_good_in_its_own_region_only() {
    let t = TestServer::start().await;
    let password = t.password_in("eu-west-1").await;
    let ping = |host: &str| t.v2(&password, "GET", "").host(host).send();
    ping("000000000000.dkr.ecr.eu-west-1.amazonaws.com")
        .await
        .expect(200);
    ping(PRIVATE).await.expect(401);
    // On a host that names no Region it leads to its own.
    ping("localhost").await.expect(200);
    t.create("app").await;
    let missing = t
        .v2(&password, "GET", "app/tags/list")
        .send()
        .await
        .expect(404);
    assert_eq!(missing.error().0, "NAME_UNKNOWN");
}

#[tokio::test]
async fn answers_that_depend_on_the_token_say_so() {
    let t = TestServer::start().await;
    let answer = t.get("/v2/").await;
    assert!(answer.all("vary").any(|value| value == "Authorization"));
    let answer = t.request("GET", "/v2/").host(PRIVATE).send().await;
    assert!(answer.all("vary").all(|value| value != "Authorization"));
}

#[tokio::test]
async fn the_uri_printed_is_the_callers_host_or_ecrs() {
    let t = TestServer::with(|config| config.domain = Some("ecr.test".to_owned())).await;
    t.create("app").await;
    let port = t.address().port();
    let printed = async |host: &str| {
        let call = t.call("DescribeRepositories", &json!({})).host(host);
        let answer = t.sign(call).send().await.expect(200).json();
        answer["repositories"][0]["repositoryUri"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(printed("localhost:5050").await, "localhost:5050/app");
    let shaped = format!("000000000000.dkr.ecr.us-east-1.ecr.test:{port}/app");
    assert_eq!(printed("api.ecr.us-east-1.amazonaws.com").await, shaped);
    assert_eq!(printed(PRIVATE).await, shaped);
}

#[tokio::test]
async fn only_trusted_proxies_name_scheme_and_host() {
    let forwarded = |t: &TestServer| {
        t.request("GET", "/v2/")
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Host", "registry.example.com")
            .send()
    };
    let t =
        TestServer::with(|config| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()])
            .await;
    let told = forwarded(&t).await.expect(401);
    let expected = r#"Bearer realm="https://registry.example.com/token/",service="registry.example.com",scope="aws""#;
    assert_eq!(told.header("www-authenticate"), Some(expected));
    let t = TestServer::start().await;
    let ignored = forwarded(&t).await.expect(401);
    assert!(
        ignored
            .header("www-authenticate")
            .unwrap()
            .contains(&t.host())
    );
}

#[tokio::test]
async fn a_request_without_a_valid_host_is_refused() {
    let t = TestServer::start().await;
    for host in ["", "a\"b", "a b", "a/b"] {
        t.request("GET", "/v2/").host(host).send().await.expect(400);
    }
    let mut connection = t.connect().await;
    connection.write(b"GET /healthz HTTP/1.1\r\n\r\n").await;
    connection.answer(false).await.unwrap().expect(400);
    let mut connection = t.connect().await;
    connection.write(b"GET /healthz HTTP/1.0\r\n\r\n").await;
    connection.answer(false).await.unwrap().expect(200);
}

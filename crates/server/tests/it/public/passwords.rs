//! Whose password is good where.

use std::time::Duration;

use longshore_registry::token::{Purpose, RegistryToken};
use longshore_types::{account::Registry, time::Timestamp};
use serde_json::json;

use super::{HOST, Scene};
use crate::harness::{Request, basic};

#[tokio::test]
async fn a_public_password_pushes_and_a_private_one_does_not() {
    let scene = Scene::start().await;
    let private = scene.ours.admin.password().await;
    let start = |request: Request, password: &str| {
        request
            .header("Authorization", basic("AWS", password))
            .send()
    };
    start(scene.nobody("POST", "blobs/uploads/"), &scene.password)
        .await
        .expect(202);
    start(scene.nobody("POST", "blobs/uploads/"), &private)
        .await
        .expect(401);
    // Nor does nobody, in whatever way.
    scene
        .nobody("POST", "blobs/uploads/")
        .send()
        .await
        .expect(401);
    scene
        .nobody("PUT", "manifests/v1")
        .body("{}")
        .send()
        .await
        .expect(401);
    scene
        .nobody("DELETE", "manifests/v1")
        .send()
        .await
        .expect(401);
    // On a host that serves both, whoever is logged in to private registries still pulls.
    scene.image().await;
    start(scene.nobody("GET", "manifests/v1"), &private)
        .await
        .expect(200);
    let path = format!("/v2/{}/team/app/manifests/v1", scene.alias);
    let at = |password: &str| start(scene.server.request("GET", &path).host(HOST), password);
    at(&scene.password).await.expect(200);
    at(&private).await.expect(401);
}

#[tokio::test]
async fn a_public_password_opens_nothing_private() {
    let scene = Scene::start().await;
    scene
        .ours
        .ecr("CreateRepository", &json!({ "repositoryName": "team/app" }))
        .await;
    for host in ["localhost", "000000000000.dkr.ecr.us-east-1.amazonaws.com"] {
        for (method, path) in [
            ("GET", "/v2/team/app/tags/list"),
            ("GET", "/v2/team/app/manifests/v1"),
            ("POST", "/v2/team/app/blobs/uploads/"),
        ] {
            let request = scene.server.request(method, path).host(host);
            let request = request.header("Authorization", basic("AWS", &scene.password));
            request.send().await.expect(401);
        }
    }
}

#[tokio::test]
async fn a_login_is_good_for_the_way_by_a_token() {
    let scene = Scene::start().await;
    let get = |path: &str, host: &str| scene.server.request("GET", path).host(host);
    for host in ["localhost", HOST] {
        let login = get("/v2/", host).header("Authorization", basic("AWS", &scene.password));
        login.send().await.expect(200);
        let asked = get("/token/?service=x&scope=aws", host);
        let asked = asked.header("Authorization", basic("AWS", &scene.password));
        let token = asked.send().await.expect(200).json()["token"].clone();
        let before = if host == HOST { "" } else { "public/" };
        let path = format!("/v2/{before}{}/team/app/blobs/uploads/", scene.alias);
        let push = scene.server.request("POST", &path).host(host);
        push.bearer(token.as_str().unwrap())
            .send()
            .await
            .expect(202);
    }
    // The token itself, in base64 as the API answers it.
    let answer = scene
        .ours
        .public("GetAuthorizationToken", &json!({}))
        .await
        .json();
    let data = &answer["authorizationData"];
    assert!(data.get("proxyEndpoint").is_none());
    let token = data["authorizationToken"].as_str().unwrap();
    let start = scene.nobody("POST", "blobs/uploads/").bearer(token);
    start.send().await.expect(202);
}

#[tokio::test]
async fn an_anonymous_token_pulls() {
    let scene = Scene::start().await;
    scene.image().await;
    for (host, before) in [("localhost", "public/"), (HOST, "")] {
        let get = |path: &str| scene.server.request("GET", path).host(host);
        let scope = format!("repository:{}/team/app:pull", scene.alias);
        let answer = get(&format!("/token/?scope={scope}"))
            .send()
            .await
            .expect(200)
            .json();
        let path = format!("/v2/{before}{}/team/app/manifests/v1", scene.alias);
        let pull = get(&path).bearer(answer["token"].as_str().unwrap());
        pull.send().await.expect(200);
    }
}

#[tokio::test]
async fn an_expired_login_is_refused_even_for_a_pull() {
    let scene = Scene::start().await;
    scene.image().await;
    let core = &scene.server.running.core;
    let long_ago = Timestamp::from_millis(1_700_000_000_000);
    let registry = Registry::public("000000000000".parse().unwrap());
    let token = RegistryToken::new(None, &registry, long_ago);
    assert!(token.is_expired(long_ago.plus(Duration::from_hours(12))));
    let password = core.tokens.seal(Purpose::Registry, &token).unwrap();
    let expired = scene.nobody("GET", "manifests/v1");
    let expired = expired.header("Authorization", basic("AWS", &password));
    let refused = expired.send().await.expect(403);
    let text = "Your authorization token has expired. Reauthenticate and try again.";
    assert_eq!(refused.error(), ("DENIED".to_owned(), text.to_owned()));
    let asked = scene.server.request("GET", "/token/");
    let asked = asked.header("Authorization", basic("AWS", &password));
    asked.send().await.expect(403);
    scene
        .nobody("GET", "manifests/v1")
        .bearer(&password)
        .send()
        .await
        .expect(401);
}

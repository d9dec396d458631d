//! Where public repositories are found.

use serde_json::json;

use super::{HOST, Scene};
use crate::harness::{basic, digest_of};

const PRIVATE: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";

#[tokio::test]
async fn anybody_pulls_on_every_host_of_the_registry() {
    let scene = Scene::with(|config| config.domain = Some("ecr.test".to_owned())).await;
    let image = scene.image().await;
    let alias = &scene.alias;
    let layer = digest_of(image.blobs().last().unwrap());
    for (host, before) in [
        ("localhost:5050", "public/"),
        (HOST, ""),
        ("ecr-public.aws.com", ""),
        ("public.ecr.test", ""),
    ] {
        let get = |rest: &str| {
            let path = format!("/v2/{before}{alias}/team/app/{rest}");
            scene.server.request("GET", &path).host(host).send()
        };
        let pulled = get("manifests/v1").await.expect(200);
        assert_eq!(pulled.body, image.manifest());
        assert_eq!(
            digest_of(&get(&format!("blobs/{layer}")).await.expect(200).body),
            layer
        );
        let tags = get("tags/list").await.expect(200).json();
        let name = format!("{before}{alias}/team/app");
        assert_eq!(tags, json!({ "name": name, "tags": ["v1"] }));
        let subject = digest_of(&image.manifest());
        get(&format!("referrers/{subject}")).await.expect(200);
    }
}

#[tokio::test]
async fn slashes_may_be_escaped() {
    let scene = Scene::start().await;
    scene.image().await;
    let path = format!("/v2/public%2F{}%2fteam%2Fapp/manifests/v1", scene.alias);
    scene.server.get(&path).await.expect(200);
}

#[tokio::test]
async fn a_private_repository_is_never_reached_as_a_public_one() {
    let scene = Scene::start().await;
    let password = scene.ours.admin.password().await;
    let alias = &scene.alias;
    let shadowed = format!("public/{alias}/team/app");
    scene
        .ours
        .ecr("CreateRepository", &json!({ "repositoryName": shadowed }))
        .await;
    scene
        .ours
        .ecr(
            "CreateRepository",
            &json!({ "repositoryName": "team/secret" }),
        )
        .await;
    scene.image().await;
    let tags = |host: &str, path: &str| {
        let request = scene.server.request("GET", path).host(host);
        request
            .header("Authorization", basic("AWS", &password))
            .send()
    };
    let path = format!("/v2/{shadowed}/tags/list");
    let there = tags(PRIVATE, &path).await.expect(200).json();
    assert_eq!(there["tags"], json!([]));
    let here = tags("localhost", &path).await.expect(200).json();
    assert_eq!(here["tags"], json!(["v1"]));
    for path in [
        format!("/v2/public/{alias}/team/secret/tags/list"),
        "/v2/public/000000000000/team/app/tags/list".to_owned(),
        format!("/v2/public/{alias}/tags/list"),
        "/v2/public/nobodys/team/app/tags/list".to_owned(),
        format!("/v2/public/{alias}/../team/app/tags/list"),
    ] {
        let answer = tags("localhost", &path).await;
        assert!(
            matches!(answer.status, 400 | 404),
            "{path}: {}",
            answer.text()
        );
        let nobody = scene.server.get(&path).await;
        assert_eq!(nobody.status, answer.status, "{path}");
        // Whose registry an alias leads to is not told.
        assert!(!answer.text().contains("registry with id"), "{path}");
    }
    // And a public one is not reached as a private one.
    tags("localhost", "/v2/team/app/tags/list")
        .await
        .expect(404);
    tags(PRIVATE, "/v2/team/app/tags/list").await.expect(404);
}

#[tokio::test]
async fn the_uri_printed_leads_there() {
    let scene = Scene::with(|config| config.domain = Some("ecr.test".to_owned())).await;
    let (alias, port) = (&scene.alias, scene.server.address().port());
    let printed = async |host: &str| {
        let admin = &scene.ours.admin;
        let mut call =
            crate::harness::Call::new(admin, "ecr-public", "DescribeRepositories", &json!({}));
        call.request = call.request.host(host);
        let answer = admin.sign(call).send().await.expect(200).json();
        answer["repositories"][0]["repositoryUri"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let own = printed("localhost:5050").await;
    assert_eq!(own, format!("localhost:5050/public/{alias}/team/app"));
    let shaped = printed("api.ecr-public.us-east-1.ecr.test").await;
    assert_eq!(shaped, format!("public.ecr.test:{port}/{alias}/team/app"));
}

#[tokio::test]
async fn a_public_host_has_no_private_repositories_and_no_catalog() {
    let scene = Scene::start().await;
    scene
        .ours
        .ecr("CreateRepository", &json!({ "repositoryName": "team/app" }))
        .await;
    let get = |path: &str| scene.server.request("GET", path).host(HOST).send();
    get("/v2/team/app/tags/list").await.expect(404);
    get("/v2/_catalog").await.expect(404);
    let challenged = get("/v2/").await.expect(401);
    assert_eq!(
        challenged.header("www-authenticate"),
        Some(r#"Bearer realm="http://public.ecr.aws/token/",service="public.ecr.aws",scope="aws""#)
    );
    let catalog = scene.server.request("GET", "/v2/_catalog");
    let catalog = catalog.header("Authorization", basic("AWS", &scene.password));
    catalog.send().await.expect(404);
}

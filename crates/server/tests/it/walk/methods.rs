//! Every route with every method: what the table of `/v2/` has no line for is not taken, from anybody.

use std::collections::BTreeSet;

use longshore::route::Route;
use serde_json::json;

use super::{rules::Opened, scene::Scene, table::ROUTES};
use crate::harness::{basic, digest_of};

const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE",
];

/// The methods that a route takes: those of its requests in the table, and for what is no repository's, to look at it.
/// There is no arm for what may come: a new route has to be walked.
fn taken(route: &Route) -> BTreeSet<&'static str> {
    let of = |names: &[&str]| {
        let lines = ROUTES.iter().filter(|(name, ..)| names.contains(name));
        lines.map(|(_, method, ..)| *method).collect()
    };
    match route {
        Route::Catalog => of(&["catalog"]),
        Route::Tags(_) => of(&["tags"]),
        Route::Manifest(..) => of(&["manifest by tag", "manifest by digest"]),
        Route::Blob(..) => of(&["blob", "unreferenced blob"]),
        Route::Uploads(_) => of(&["uploads", "mount", "monolithic"]),
        Route::Upload(..) => of(&["upload", "upload with the last part"]),
        Route::Referrers(..) => of(&["referrers"]),
        Route::Ping
        | Route::Token
        | Route::Layer(_)
        | Route::Logo(_)
        | Route::Health
        | Route::Ready => ["GET", "HEAD"].into(),
        // The APIs, which know their callers by signatures.
        Route::Other => BTreeSet::new(),
    }
}

#[tokio::test]
async fn a_route_takes_the_methods_that_are_walked_and_no_others() {
    let scene = Scene::peopled().await;
    let repository = scene.repository(Opened::Closed).await;
    let name = &repository.name;
    let upload = scene.upload(name, b"").await;
    let (image, layer) = (repository.image_digest(), repository.layer_digest());
    for path in [
        "/v2/".to_owned(),
        "/v2/_catalog".to_owned(),
        format!("/v2/{name}/tags/list"),
        format!("/v2/{name}/manifests/v1"),
        format!("/v2/{name}/manifests/{image}"),
        format!("/v2/{name}/blobs/{layer}"),
        format!("/v2/{name}/blobs/uploads/"),
        format!("/v2/{name}/blobs/uploads/{upload}"),
        format!("/v2/{name}/referrers/{image}"),
        "/token/".to_owned(),
        format!("/layers/{layer}"),
        "/logos/0190163d-8694-739b-aea5-966c26f8ad90.png".to_owned(),
        "/healthz".to_owned(),
        "/readyz".to_owned(),
    ] {
        let taken = taken(&Route::parse(&path).unwrap());
        for method in METHODS.iter().filter(|method| !taken.contains(*method)) {
            for person in [
                None,
                Some(scene.person("nobody")),
                Some(scene.person("administrator")),
            ] {
                let request = scene
                    .ours
                    .admin
                    .request(method, &path)
                    .host(&scene.ours.host());
                let request = match person {
                    Some(person) => request.header("Authorization", basic("AWS", &person.password)),
                    None => request,
                };
                let answer = request.send().await;
                assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text());
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_repositorys_knows_whoever_is_somebody() {
    let scene = Scene::peopled().await;
    let get = |path: &str| {
        scene
            .ours
            .admin
            .request("GET", path)
            .host(&scene.ours.host())
    };
    get("/v2/").send().await.expect(401);
    get("/token/").send().await.expect(200);
    for person in &scene.people {
        let authorization = basic("AWS", &person.password);
        for path in ["/v2/", "/token/"] {
            get(path)
                .header("Authorization", authorization.clone())
                .send()
                .await
                .expect(200);
        }
    }
    for wrong in [
        basic("AWS", "wrong"),
        basic("root", &scene.person("nobody").password),
        "Bearer wrong".to_owned(),
    ] {
        for path in ["/v2/", "/token/"] {
            get(path)
                .header("Authorization", wrong.clone())
                .send()
                .await
                .expect(401);
        }
    }
}

#[tokio::test]
async fn a_layer_url_is_good_for_anybody_while_who_asked_for_it_may_read() {
    let scene = Scene::peopled().await;
    let open = scene.repository(Opened::ToStrangers).await;
    let ask = json!({ "registryId": scene.ours.id, "repositoryName": open.name, "layerDigest": open.layer_digest() });
    for (name, may) in [
        ("puller", true),
        ("reader", true),
        ("stranger", true),
        ("narrow", true),
        ("nobody", false),
        ("denied", false),
    ] {
        let answer = scene
            .person(name)
            .signer
            .call("ecr", "GetDownloadUrlForLayer", &ask)
            .await;
        assert_eq!(answer.status == 200, may, "{name}");
        if may {
            let url = answer.json()["downloadUrl"].as_str().unwrap().to_owned();
            let (_, path) = url.split_once("/layers/").unwrap();
            let layer = scene
                .ours
                .admin
                .request("GET", &format!("/layers/{path}"))
                .send()
                .await;
            assert_eq!(
                digest_of(&layer.expect(200).body),
                open.layer_digest(),
                "{name}"
            );
        }
    }
}

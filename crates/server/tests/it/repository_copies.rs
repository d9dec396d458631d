//! Renaming, copying and moving repositories over HTTP and by `longshore repository`, beside pushes and restarts.

use std::{
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::harness::{Answer, Image, TestServer, basic};

const ELSEWHERE: &str = "eu-west-3";
const HOST_ELSEWHERE: &str = "000000000000.dkr.ecr.eu-west-3.amazonaws.com";

/// Runs `longshore repository` as the administrator.
fn repository(server: &TestServer, args: &[&str]) -> Output {
    let credentials = &server.credentials;
    Command::new(env!("CARGO_BIN_EXE_longshore"))
        .arg("repository")
        .args(args)
        .env_clear()
        .env("AWS_ENDPOINT_URL", format!("http://{}", server.host()))
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", &credentials.key.id)
        .env("AWS_SECRET_ACCESS_KEY", &credentials.key.secret)
        .output()
        .unwrap()
}

fn told(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(output: &Output, why: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(why), "{text}");
}

async fn call(server: &TestServer, operation: &str, input: &Value) -> Answer {
    let target = format!("LongshoreRegistry_V20261121.{operation}");
    let request = server
        .request("POST", "/")
        .header("Content-Type", "application/x-amz-json-1.1")
        .header("X-Amz-Target", target)
        .body(input.to_string());
    server.sign(request).send().await
}

async fn pulled(server: &TestServer, path: &str) -> Answer {
    let password = server.password().await;
    server.v2(&password, "GET", path).send().await
}

/// A pull in the other Region.
async fn pulled_elsewhere(server: &TestServer, path: &str) -> Answer {
    let password = server.password_in(ELSEWHERE).await;
    let request = server.request("GET", &format!("/v2/{path}"));
    let request = request.host(HOST_ELSEWHERE);
    let request = request.header("Authorization", basic("AWS", &password));
    request.send().await
}

/// Waits for the last copy of `app`.
async fn ended(server: &TestServer) -> Value {
    loop {
        let of = json!({ "repositoryName": "app" });
        let told = call(server, "DescribeRepositoryCopies", &of)
            .await
            .expect(200);
        let copy = told.json()["repositoryCopies"][0].take();
        if copy["status"] != "IN_PROGRESS" {
            return copy;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_renames_copies_and_moves() {
    let server = TestServer::start().await;
    server.create("old").await;
    let (image, password) = (Image::new("one", 2), server.password().await);
    server.push(&password, "old", "v1", &image).await;

    let renamed = repository(&server, &["rename", "old", "app", "--json"]);
    assert_eq!(told(&renamed)["repositoryName"], "app");
    pulled(&server, "old/manifests/v1").await.expect(404);
    let manifest = pulled(&server, "app/manifests/v1").await.expect(200);
    assert_eq!(manifest.body, image.manifest());

    let copied = repository(&server, &["copy", "app", "mirror/app", "--wait", "--json"]);
    assert_eq!(told(&copied)["status"], "COMPLETE");
    let manifest = pulled(&server, "mirror/app/manifests/v1").await.expect(200);
    assert_eq!(manifest.body, image.manifest());

    let moved = repository(
        &server,
        &["move", "app", "--to-region", ELSEWHERE, "--wait"],
    );
    assert!(moved.status.success(), "{moved:?}");
    let line = String::from_utf8_lossy(&moved.stdout);
    assert!(line.contains("complete, 1 of 1 images"), "{line}");
    pulled(&server, "app/manifests/v1").await.expect(404);
    let manifest = pulled_elsewhere(&server, "app/manifests/v1")
        .await
        .expect(200);
    assert_eq!(manifest.body, image.manifest());

    let status = repository(&server, &["status", "app", "--json"]);
    let copies = told(&status)["repositoryCopies"].take();
    assert_eq!(copies.as_array().unwrap().len(), 2);
    assert_eq!(copies[0]["copyType"], "MOVE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_ends_without_success() {
    let server = TestServer::start().await;
    for name in ["app", "taken"] {
        server.create(name).await;
    }
    let run = |args: &[&str]| repository(&server, args);
    refused(
        &run(&["rename", "app", "taken"]),
        "RepositoryAlreadyExistsException",
    );
    refused(
        &run(&["rename", "none", "new"]),
        "RepositoryNotFoundException",
    );
    refused(
        &run(&["copy", "app", "taken", "--wait"]),
        "RepositoryAlreadyExistsException",
    );
    refused(&run(&["copy", "app"]), "InvalidParameterException");
    refused(&run(&["move", "app", "new"]), "RenameRepository");
    refused(
        &run(&["move", "app", "--to-account", "999999999999"]),
        "AccessDeniedException",
    );
    refused(
        &run(&["status", "app", "--id", "x"]),
        "InvalidParameterException",
    );
    let unknown = "0192f0c1-2b3d-7c4e-8f50-0a1b2c3d4e5f";
    refused(&run(&["cancel", "app", unknown]), "no such copy");
    let begun = told(&run(&["copy", "app", "new", "--wait", "--json"]));
    let id = begun["copyId"].as_str().unwrap();
    refused(&run(&["cancel", "app", id]), "is complete");
    let silent = Command::new(env!("CARGO_BIN_EXE_longshore"))
        .args(["repository", "status", "app"])
        .env_clear()
        .output()
        .unwrap();
    refused(&silent, "AWS_ENDPOINT_URL");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_goes_on_after_a_restart() {
    let mut server = TestServer::start().await;
    server.create("app").await;
    let password = server.password().await;
    for idx in 0..8 {
        let image = Image::new(&idx.to_string(), 3);
        server
            .push(&password, "app", &format!("v{idx}"), &image)
            .await;
    }
    let big = server
        .push_blob(&password, "app", &vec![1; 40_000_000])
        .await;
    let manifest = json!({ "schemaVersion": 2, "mediaType": Image::MEDIA_TYPE,
        "config": { "mediaType": "application/x", "digest": big, "size": 40_000_000 }, "layers": [] });
    let put = server.v2(&password, "PUT", "app/manifests/big");
    let put = put.header("Content-Type", Image::MEDIA_TYPE);
    put.body(manifest.to_string()).send().await.expect(201);
    let way = json!({ "repositoryName": "app", "targetRegion": ELSEWHERE });
    call(&server, "MoveRepository", &way).await.expect(200);
    for _ in 0..3 {
        server = server.restart().await;
    }
    let copy = ended(&server).await;
    assert_eq!(
        (&copy["status"], &copy["copiedImageCount"]),
        (&json!("COMPLETE"), &json!(9))
    );
    let blob = pulled_elsewhere(&server, &format!("app/blobs/{big}")).await;
    assert_eq!(blob.expect(200).body.len(), 40_000_000);
}

/// Whatever was acknowledged is in one of the two places; once the move is done, in the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_to_a_move_beside_pushes() {
    let server = Arc::new(TestServer::start().await);
    server.create("app").await;
    let password = server.password().await;
    for idx in 0..20 {
        let image = Image::new(&format!("before {idx}"), 1);
        server
            .push(&password, "app", &format!("before{idx}"), &image)
            .await;
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let pushers: Vec<_> = (0..3)
        .map(|who| tokio::spawn(push_until(server.clone(), is_over.clone(), who)))
        .collect();
    let way = json!({ "repositoryName": "app", "targetRegion": ELSEWHERE });
    tokio::time::sleep(Duration::from_millis(100)).await;
    call(&server, "MoveRepository", &way).await.expect(200);
    let copy = ended(&server).await;
    assert_eq!(copy["status"], "COMPLETE", "{copy}");
    is_over.store(true, Ordering::Relaxed);
    let mut n_pushed = 0;
    for pusher in pushers {
        for (tag, image) in pusher.await.unwrap() {
            let path = format!("app/manifests/{tag}");
            let manifest = pulled_elsewhere(&server, &path).await.expect(200);
            assert_eq!(manifest.body, image.manifest(), "{tag}");
            for blob in image.blobs() {
                let digest = crate::harness::digest_of(blob);
                let path = format!("app/blobs/{digest}");
                let there = pulled_elsewhere(&server, &path).await.expect(200);
                assert_eq!(there.body, blob);
            }
            n_pushed += 1;
        }
    }
    assert!(n_pushed > 0, "nothing was pushed beside the move");
    pulled(&server, "app/tags/list").await.expect(404);
}

/// Pushes images until the repository is gone; returns what was acknowledged.
async fn push_until(
    server: Arc<TestServer>,
    is_over: Arc<AtomicBool>,
    who: usize,
) -> Vec<(String, Image)> {
    let password = server.password().await;
    let mut acknowledged = Vec::new();
    for idx in 0..40 {
        let (tag, image) = (
            format!("p{who}-{idx}"),
            Image::new(&format!("{who} {idx}"), 2),
        );
        for blob in image.blobs() {
            let digest = crate::harness::digest_of(blob);
            let path = format!("app/blobs/uploads/?digest={digest}");
            server.v2(&password, "POST", &path).body(blob).send().await;
        }
        let put = server.v2(&password, "PUT", &format!("app/manifests/{tag}"));
        let put = put.header("Content-Type", Image::MEDIA_TYPE);
        let put = put.body(image.manifest()).send().await;
        match put.status {
            201 => acknowledged.push((tag, image)),
            _ => assert_eq!(put.status, 404, "{}", put.text()),
        }
        if put.status == 404 || is_over.load(Ordering::Relaxed) {
            break;
        }
    }
    acknowledged
}

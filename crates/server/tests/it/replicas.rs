//! Several servers on one PostgreSQL, with one directory of blobs between them, or a bucket.

use std::{os::unix::fs::symlink, time::Duration};

use longshore::{
    config::{Config, MasterKeySource, MetadataUrl},
    serve,
};
use longshore_testbed::postgres::Database;
use serde_json::json;

use crate::harness::{Image, MASTER_KEY, TestServer, digest_of, options};

async fn three() -> [TestServer; 3] {
    and_two_more(TestServer::on_postgres().await).await
}

async fn and_two_more(first: TestServer) -> [TestServer; 3] {
    let (second, third) = tokio::join!(first.replica(), first.replica());
    [first, second, third]
}

#[tokio::test(flavor = "multi_thread")]
async fn of_servers_that_start_at_once_one_makes_the_account() {
    let database = Database::empty();
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    std::fs::create_dir(dirs[0].path().join("blobs")).unwrap();
    for dir in &dirs[1..] {
        symlink(dirs[0].path().join("blobs"), dir.path().join("blobs")).unwrap();
    }
    let starting: Vec<_> = dirs
        .iter()
        .map(|dir| {
            let mut config = Config::new(dir.path()).unwrap();
            "127.0.0.1:0".clone_into(&mut config.listen);
            config.drain = Duration::from_secs(5);
            config.metadata = MetadataUrl::Postgres(Box::new(options(&database.url())));
            config.master_key = MasterKeySource::Text(MASTER_KEY.to_owned());
            tokio::spawn(serve::start(config))
        })
        .collect();
    let mut shown = 0;
    for (starting, dir) in starting.into_iter().zip(&dirs) {
        let running = starting.await.unwrap().unwrap();
        let is_first = running.first_start.is_some();
        shown += usize::from(is_first);
        assert_eq!(dir.path().join("admin.env").exists(), is_first);
        assert!(!dir.path().join("admin.env.new").exists());
        assert!(!dir.path().join("master.key").exists());
        assert!(running.stop().await);
    }
    assert_eq!(shown, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_takes_any_other_serves() {
    let [a, b, c] = three().await;
    a.create("app").await;
    let password = b.password().await;
    let image = Image::new("shared", 2);
    let digest = a.push(&password, "app", "v1", &image).await;
    for server in [&b, &c] {
        let pulled = server
            .v2(&password, "GET", "app/manifests/v1")
            .send()
            .await
            .expect(200);
        assert_eq!(
            pulled.header("docker-content-digest"),
            Some(digest.as_str())
        );
        for blob in image.blobs() {
            let path = format!("app/blobs/{}", digest_of(blob));
            let pulled = server.v2(&password, "GET", &path).send().await.expect(200);
            assert_eq!(pulled.body, blob);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_takes_any_chunk_of_an_upload() {
    chunks_go_anywhere(three().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_takes_any_chunk_of_an_upload_to_a_bucket() {
    let first = TestServer::on_postgres_and_s3().await;
    chunks_go_anywhere(and_two_more(first).await).await;
}

async fn chunks_go_anywhere([a, b, c]: [TestServer; 3]) {
    a.create("app").await;
    let password = a.password().await;
    // Pieces kept in rows, and pieces that are files.
    let chunks: Vec<Vec<u8>> = (0..7_u8)
        .map(|idx| vec![idx; 1 + 30_000 * usize::from(idx)])
        .collect();
    let started = a.v2(&password, "POST", "app/blobs/uploads/").send().await;
    let upload = started.expect(202).header("location").unwrap().to_owned();
    let mut whole: Vec<u8> = Vec::new();
    for (chunk, server) in chunks.iter().zip([&b, &c, &a].into_iter().cycle()) {
        let (from, until) = (whole.len(), whole.len() + chunk.len());
        let patched = server
            .request("PATCH", &upload)
            .bearer(&password)
            .header("Content-Range", format!("{from}-{}", until - 1))
            .body(chunk.clone())
            .send()
            .await
            .expect(202);
        let range = format!("0-{}", until - 1);
        assert_eq!(patched.header("range"), Some(range.as_str()));
        whole.extend(chunk);
    }
    let digest = digest_of(&whole);
    c.request("PUT", &format!("{upload}?digest={digest}"))
        .bearer(&password)
        .send()
        .await
        .expect(201);
    for server in [&a, &b, &c] {
        let path = format!("app/blobs/{digest}");
        let pulled = server.v2(&password, "GET", &path).send().await.expect(200);
        assert!(pulled.body == whole);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_acts_on_the_next_request_of_each() {
    let servers = three().await;
    let [a, ..] = &servers;
    a.create("app").await;
    let user = a.user("ci").await;
    let may = json!({"Effect": "Allow", "Action": "ecr:*", "Resource": "*"});
    for round in 0..3 {
        a.allow_user(&a.root(), "ci", &may).await;
        let password = a.password_for(&user).await;
        let describe = json!({"repositoryNames": ["app"]});
        for server in &servers {
            let described = server.ecr(&user, "DescribeRepositories", &describe).await;
            described.expect(200);
            let listed = server.v2(&password, "GET", "app/tags/list").send().await;
            listed.expect(200);
        }
        // Each server takes its turn at revoking; all of them have decided before.
        let (root, named) = (a.root(), [("UserName", "ci")]);
        let listed = servers[round].query(&root, "iam", "ListUserPolicies", &named);
        let policy = listed.await.expect(200).element("member").unwrap();
        let members = [("UserName", "ci"), ("PolicyName", policy.as_str())];
        servers[round]
            .query(&root, "iam", "DeleteUserPolicy", &members)
            .await
            .expect(200);
        for server in &servers {
            let described = server.ecr(&user, "DescribeRepositories", &describe).await;
            assert_eq!(described.status, 400, "{}", described.text());
            let listed = server.v2(&password, "GET", "app/tags/list").send().await;
            assert_eq!(listed.status, 403, "{}", listed.text());
        }
    }
}

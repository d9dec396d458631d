//! A restore drill: `longshore backup` beside a server under load, `longshore restore` elsewhere, and everything is there.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use longshore::config::{BlobsUrl, Config, MasterKeySource};
use longshore_testbed::{
    postgres::Database,
    s3::{self, S3Server},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Image, MASTER_KEY, Person, TestServer, digest_of, storage};

mod targets;

type Environment = Vec<(&'static str, String)>;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn command(args: &[&str], data: &Path, environment: &Environment) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
    command.args(args).arg("--data-dir").arg(data).env_clear();
    command.env("LONGSHORE_MASTER_KEY", MASTER_KEY);
    command.envs(environment.iter().cloned());
    command
}

fn longshore(args: &[&str], data: &Path, environment: &Environment) -> Output {
    command(args, data, environment).output().unwrap()
}

fn json_of(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// Where a command finds the store of a server.
fn environment_of(t: &TestServer) -> Environment {
    let mut environment = t.environment();
    environment.extend(storage::environment(t.data_dir()));
    environment
}

fn archive_at(dir: &Path) -> (&'static str, String) {
    (
        "LONGSHORE_ARCHIVE_BLOBS",
        format!("file://{}", dir.display()),
    )
}

fn settings(archive: &Path) -> impl Fn(&mut Config) + use<> {
    let archive = archive.to_owned();
    move |config| {
        config.archive_blobs = Some(BlobsUrl::File(archive.clone()));
        config.master_key = MasterKeySource::Text(MASTER_KEY.to_owned());
        config.lifecycle_interval = Duration::from_secs(1);
    }
}

async fn until(what: &str, done: impl AsyncFn() -> bool) {
    for _ in 0..1_500 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never: {what}");
}

fn manifest(layers: &[&[u8]]) -> String {
    let layer = |bytes: &&[u8]| json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest_of(bytes), "size": bytes.len()});
    json!({
        "schemaVersion": 2,
        "mediaType": Image::MEDIA_TYPE,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(b"{}"), "size": 2},
        "layers": layers.iter().map(layer).collect::<Vec<_>>(),
    })
    .to_string()
}

/// What must be there: manifests by their references, blobs by their repositories.
#[derive(Default)]
struct Expected {
    manifests: Vec<(String, Vec<u8>)>,
    blobs: Vec<(String, Vec<u8>)>,
}

impl Expected {
    fn image(&mut self, repository: &str, tag: &str, image: &Image) {
        let path = format!("{repository}/manifests/{tag}");
        self.manifests.push((path, image.manifest()));
        let blobs = image
            .blobs()
            .map(|blob| (repository.to_owned(), blob.to_vec()));
        self.blobs.extend(blobs);
    }

    async fn check(&self, t: &TestServer) {
        let password = t.password().await;
        for (path, bytes) in &self.manifests {
            let pulled = t.v2(&password, "GET", path).send().await.expect(200);
            assert_eq!(&pulled.body, bytes, "{path}");
        }
        for (repository, bytes) in &self.blobs {
            let path = format!("{repository}/blobs/{}", digest_of(bytes));
            let pulled = t.v2(&password, "GET", &path).send().await.expect(200);
            assert!(&pulled.body == bytes, "{path}");
        }
    }
}

async fn put(t: &TestServer, password: &str, path: &str, media_type: &str, bytes: &str) {
    let put = t
        .v2(password, "PUT", path)
        .header("Content-Type", media_type);
    put.body(bytes.to_owned()).send().await.expect(201);
}

/// A layer of several segments and a piece in a row, pushed in chunks, and the image that has it.
async fn push_large(t: &TestServer, password: &str, expected: &mut Expected) {
    let started = t.v2(password, "POST", "app/blobs/uploads/").send().await;
    let upload = started.expect(202).header("location").unwrap().to_owned();
    let mut layer: Vec<u8> = Vec::new();
    for seed in 0..5_u8 {
        let chunk = vec![seed; 1 + 90_000 * usize::from(seed)];
        let range = format!("{}-{}", layer.len(), layer.len() + chunk.len() - 1);
        let patch = t.request("PATCH", &upload).bearer(password);
        let patch = patch.header("Content-Range", range).body(chunk.clone());
        patch.send().await.expect(202);
        layer.extend(chunk);
    }
    let close = format!("{upload}?digest={}", digest_of(&layer));
    t.request("PUT", &close)
        .bearer(password)
        .send()
        .await
        .expect(201);
    t.push_blob(password, "app", b"{}").await;
    let manifest = manifest(&[&layer]);
    put(
        t,
        password,
        "app/manifests/large",
        Image::MEDIA_TYPE,
        &manifest,
    )
    .await;
    expected.blobs.push(("app".to_owned(), layer));
    let path = "app/manifests/large".to_owned();
    expected.manifests.push((path, manifest.into_bytes()));
}

/// An index of two images, and something that refers to one of them.
async fn push_index(t: &TestServer, password: &str, expected: &mut Expected) {
    let images = ["amd64", "arm64"].map(|name| Image::new(name, 2));
    let mut children = Vec::new();
    for image in &images {
        let digest = t.push(password, "app", "part", image).await;
        expected.image("app", &digest, image);
        children.push(json!({"mediaType": Image::MEDIA_TYPE, "digest": digest, "size": image.manifest().len()}));
    }
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).to_string();
    put(t, password, "app/manifests/multi", INDEX, &index).await;
    let path = "app/manifests/multi".to_owned();
    expected.manifests.push((path, index.into_bytes()));
    let referrer = Image::new("signature", 1).about(&images[0]);
    t.push(password, "app", "signature", &referrer).await;
    expected.image("app", "signature", &referrer);
}

/// An image whose layer lies in the archive.
async fn push_archived(t: &TestServer, password: &str, archive: &Path) -> Vec<u8> {
    t.create("old").await;
    let layer = vec![200; 300_000];
    for blob in [b"{}".as_slice(), &layer] {
        t.push_blob(password, "old", blob).await;
    }
    put(
        t,
        password,
        "old/manifests/v1",
        Image::MEDIA_TYPE,
        &manifest(&[&layer]),
    )
    .await;
    let input = json!({"repositoryName": "old", "imageId": {"imageTag": "v1"}, "targetStorageClass": "ARCHIVE"});
    t.aws("UpdateImageStorageClass", &input).await.expect(200);
    until("the layer moves", async || segments(archive).len() == 1).await;
    layer
}

/// A repository whose policy has expired one image, which can be brought back.
async fn push_expired(t: &TestServer, password: &str) -> (String, Image) {
    t.create("short").await;
    let images = ["first", "second"].map(|name| Image::new(name, 1));
    let digest = t.push(password, "short", "first", &images[0]).await;
    t.push(password, "short", "second", &images[1]).await;
    let policy = json!({"x-longshore-undoHours": 48, "rules": [{"rulePriority": 1, "action": {"type": "expire"},
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1}}]});
    let input = json!({"repositoryName": "short", "lifecyclePolicyText": policy.to_string()});
    t.aws("PutLifecyclePolicy", &input).await.expect(200);
    until("the first expires", async || {
        let first = t.v2(password, "GET", "short/manifests/first").send().await;
        first.status == 404
    })
    .await;
    let named = json!({"repositoryName": "short"});
    until("the run is over", async || {
        let got = t.aws("GetLifecyclePolicy", &named).await.json();
        got["lastEvaluatedAt"].as_f64().unwrap_or_default() > 0.0
    })
    .await;
    t.aws("DeleteLifecyclePolicy", &named).await.expect(200);
    let [first, _] = images;
    (digest, first)
}

/// A user who may read one repository.
async fn reader(t: &TestServer) -> Person {
    let reader = t.user("reader").await;
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "ecr:DescribeImages", "Resource": "*"}]});
    let members = [
        ("UserName", "reader"),
        ("PolicyName", "read"),
        ("PolicyDocument", &policy.to_string()),
    ];
    t.iam("PutUserPolicy", &members).await.expect(200);
    reader
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let shards = fs::read_dir(dir.join("blobs")).unwrap();
    let shards = shards.map(|shard| shard.unwrap().path());
    shards
        .filter(|shard| shard.is_dir())
        .flat_map(|shard| fs::read_dir(shard).unwrap())
        .map(|file| file.unwrap().path())
        .collect()
}

/// Everything that a store may hold.
struct Scene {
    expected: Expected,
    archived: Vec<u8>,
    expired: (String, Image),
    reader: Person,
}

impl Scene {
    async fn make(t: &TestServer, archive: &Path) -> Self {
        t.create("app").await;
        t.create("busy").await;
        let password = t.password().await;
        let mut expected = Expected::default();
        let small = Image::new("small", 2);
        t.push(&password, "app", "small", &small).await;
        expected.image("app", "small", &small);
        push_large(t, &password, &mut expected).await;
        push_index(t, &password, &mut expected).await;
        for number in 0..10 {
            let (name, image) = (format!("v{number}"), Image::new(&format!("v{number}"), 2));
            t.push(&password, "busy", &name, &image).await;
            expected.image("busy", &name, &image);
        }
        Self {
            archived: push_archived(t, &password, archive).await,
            expired: push_expired(t, &password).await,
            reader: reader(t).await,
            expected,
        }
    }

    /// Everything that was acknowledged is there, in a store that keeps what it brings back.
    async fn check(&self, t: &TestServer) {
        self.expected.check(t).await;
        let password = t.password().await;
        let referrers = format!(
            "app/referrers/{}",
            digest_of(&Image::new("amd64", 2).manifest())
        );
        let referrers = t.v2(&password, "GET", &referrers).send().await.json();
        assert_eq!(referrers["manifests"].as_array().unwrap().len(), 1);
        let named = json!({"repositoryName": "app"});
        let asked = self.reader.sign(t.call("DescribeImages", &named), "ecr");
        asked.send().await.expect(200);
        let denied = self.reader.sign(t.call("ListImages", &named), "ecr");
        denied.send().await.expect(400);
        let archived = t.v2(&password, "GET", "old/manifests/v1").send().await;
        assert_eq!(archived.status, 404);
        let first = t.v2(&password, "GET", "short/manifests/first").send().await;
        assert_eq!(first.status, 404);
    }

    /// What was put away can be brought back.
    async fn bring_back(&self, t: &TestServer) {
        let password = t.password().await;
        let input = json!({"repositoryName": "old", "imageId": {"imageTag": "v1"}, "targetStorageClass": "STANDARD"});
        t.aws("UpdateImageStorageClass", &input).await.expect(200);
        until("the archived image is back", async || {
            let pulled = t.v2(&password, "GET", "old/manifests/v1").send().await;
            pulled.status == 200
        })
        .await;
        let path = format!("old/blobs/{}", digest_of(&self.archived));
        let pulled = t.v2(&password, "GET", &path).send().await.expect(200);
        assert!(pulled.body == self.archived);
        let (digest, image) = &self.expired;
        let input = json!({"repositoryName": "short", "imageIds": [{"imageDigest": digest}]});
        let call = t.request("POST", "/");
        let call = call
            .header("Content-Type", "application/x-amz-json-1.1")
            .header(
                "X-Amz-Target",
                "LongshoreRegistry_V20261121.RestoreExpiredImages",
            )
            .body(input.to_string());
        t.sign(call).send().await.expect(200);
        let mut expected = Expected::default();
        expected.image("short", "first", image);
        expected.check(t).await;
    }
}

/// Pushes and deletes for as long as a backup takes.
async fn load(t: &TestServer, done: &AtomicBool) -> usize {
    let password = t.password().await;
    let mut rounds = 0;
    while !done.load(Ordering::Relaxed) {
        let (tag, image) = (
            format!("load{rounds}"),
            Image::new(&format!("load{rounds}"), 3),
        );
        t.push(&password, "busy", &tag, &image).await;
        if rounds % 2 == 0 {
            let input = json!({"repositoryName": "busy", "imageIds": [{"imageTag": tag}]});
            t.aws("BatchDeleteImage", &input).await.expect(200);
        }
        rounds += 1;
    }
    rounds
}

async fn back_up(t: &TestServer, to: &str, environment: Environment) -> Value {
    let (done, to, data) = (
        AtomicBool::new(false),
        to.to_owned(),
        t.data_dir().to_owned(),
    );
    let backing = async {
        let run = move || {
            let args = ["backup", "--to", &to, "--verify", "--json"];
            longshore(&args, &data, &environment)
        };
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        done.store(true, Ordering::Relaxed);
        json_of(&output)
    };
    let (told, rounds) = tokio::join!(backing, load(t, &done));
    assert!(rounds > 0);
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_acknowledged_before_a_backup_is_there_after_restores_elsewhere() {
    let archives = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [first, second, third] = &archives;
    let t = TestServer::with(settings(first.path())).await;
    let scene = Scene::make(&t, first.path()).await;
    let backups = tempfile::tempdir().unwrap();
    let to = backups.path().to_str().unwrap();
    let mut environment = environment_of(&t);
    environment.push(archive_at(first.path()));
    let told = back_up(&t, to, environment).await;
    assert_eq!(told["damagedSegments"], 0);
    assert!(told["copiedSegments"].as_u64().unwrap() >= 5, "{told}");
    let credentials = t.credentials.clone();
    assert!(t.running.stop().await);

    // From a directory into PostgreSQL and a bucket …
    let (dir, database) = (tempfile::tempdir().unwrap(), Database::empty());
    let mut environment: Environment = vec![("LONGSHORE_METADATA", database.url())];
    environment.extend(storage::bucket_environment(dir.path()));
    environment.push(archive_at(second.path()));
    let restored = longshore(
        &["restore", "--from", to, "--json"],
        dir.path(),
        &environment,
    );
    assert_eq!(json_of(&restored)["id"], told["id"]);
    let set = settings(second.path());
    let change = |config: &mut Config| {
        storage::in_bucket(config);
        set(config);
    };
    let t = TestServer::over(dir, Some(database), credentials.clone(), change).await;
    scene.check(&t).await;

    // … and from there by another bucket into a directory.
    let place = format!("s3://{}/{}", s3::BUCKET, S3Server::shared().fresh_prefix());
    let told = back_up(&t, &place, environment.clone()).await;
    assert!(t.running.stop().await);
    let dir = tempfile::tempdir().unwrap();
    environment.retain(|(name, _)| name.contains("_S3_"));
    environment.push(archive_at(third.path()));
    let listed = longshore(
        &["restore", "--from", &place, "--list", "--json"],
        dir.path(),
        &environment,
    );
    assert_eq!(json_of(&listed)[0]["id"], told["id"]);
    let restored = longshore(&["restore", "--from", &place], dir.path(), &environment);
    assert!(restored.status.success(), "{restored:?}");
    let (data, set) = (dir.path().to_owned(), settings(third.path()));
    let change = move |config: &mut Config| {
        config.blobs = BlobsUrl::File(data);
        set(config);
    };
    let t = TestServer::over(dir, None, credentials, change).await;
    scene.check(&t).await;
    scene.bring_back(&t).await;
}

/// A store of some images with large layers, and where its commands find it.
async fn stocked(images: u8) -> (TestServer, Environment, Expected) {
    let set = |config: &mut Config| {
        config.master_key = MasterKeySource::Text(MASTER_KEY.to_owned());
    };
    let t = TestServer::with(set).await;
    t.create("app").await;
    let password = t.password().await;
    let mut expected = Expected::default();
    t.push_blob(&password, "app", b"{}").await;
    for seed in 0..images {
        let layer = vec![seed; 400_000];
        t.push_blob(&password, "app", &layer).await;
        let (path, text) = (format!("app/manifests/v{seed}"), manifest(&[&layer]));
        put(&t, &password, &path, Image::MEDIA_TYPE, &text).await;
        expected.manifests.push((path, text.into_bytes()));
        expected.blobs.push(("app".to_owned(), layer));
    }
    let environment = environment_of(&t);
    (t, environment, expected)
}

/// How long a command takes that nobody kills.
fn time_of(args: &[&str], data: &Path, environment: &Environment) -> Duration {
    let began = Instant::now();
    let output = longshore(args, data, environment);
    assert!(output.status.success(), "{output:?}");
    began.elapsed()
}

/// Runs a command again and again, killed later each time, until it ends by itself, which takes about the time `whole` when
/// nobody kills it; returns how often it was killed.
fn killed(args: &[&str], data: &Path, environment: &Environment, whole: Duration) -> u32 {
    for kill in 0.. {
        let mut child = command(args, data, environment)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        thread::sleep(whole * (1 + kill) / 16);
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        // It may have been killed between its last transaction and its end.
        let over = String::from_utf8_lossy(&output.stderr).contains("the store is not empty");
        if output.status.code().is_some() {
            assert!(output.status.success() || (over && kill > 0), "{output:?}");
            return kill;
        }
    }
    0
}

fn here(data: &Path) -> impl FnOnce(&mut Config) + use<> {
    let data = data.to_owned();
    move |config| {
        config.blobs = BlobsUrl::File(data);
        config.master_key = MasterKeySource::Text(MASTER_KEY.to_owned());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_and_restores_that_are_killed_go_on() {
    let (t, environment, expected) = stocked(40).await;
    let [backups, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [to, other] = [&backups, &other].map(|place| place.path().to_str().unwrap());
    let whole = time_of(&["backup", "--to", other], t.data_dir(), &environment);
    let args = ["backup", "--to", to];
    let kills = killed(&args, t.data_dir(), &environment, whole);
    assert!(kills > 0, "it was faster than a sixteenth of {whole:?}");
    let credentials = t.credentials.clone();
    assert!(t.running.stop().await);
    let [dir, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let args = ["restore", "--from", to];
    let whole = time_of(&args, other.path(), &Vec::new());
    let kills = killed(&args, dir.path(), &Vec::new(), whole);
    assert!(kills > 0, "it was faster than a sixteenth of {whole:?}");
    let change = here(dir.path());
    let t = TestServer::over(dir, None, credentials, change).await;
    expected.check(&t).await;
}

/// What the latest lease of a place says, if there is any.
fn lease(place: &Path) -> Option<String> {
    let names = fs::read_dir(place.join("lease")).ok()?;
    let latest = names.map(|entry| entry.unwrap().path()).max()?;
    // It may have gone for the next one.
    fs::read_to_string(latest).ok()
}

/// Kills a backup to a bucket while it has its place; returns that and its directory. One that has ended before anybody saw it at
/// work is too late to be killed.
fn killed_in_its_place(data: &Path, environment: &Environment) -> (String, PathBuf) {
    for _ in 0..20 {
        let prefix = S3Server::shared().fresh_prefix();
        let place = S3Server::shared().path(&prefix);
        let to = format!("s3://{}/{prefix}", s3::BUCKET);
        let mut child = command(&["backup", "--to", &to], data, environment)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while lease(&place).is_none() && child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        let code = child.wait().unwrap().code();
        assert!(code.is_none_or(|code| code == 0), "{code:?}");
        if lease(&place).is_some_and(|says| says.contains("adding")) {
            return (to, place);
        }
    }
    panic!("every one of 20 backups had ended before it could be killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_to_a_bucket_that_is_killed_is_followed_by_the_next() {
    let (t, mut environment, expected) = stocked(20).await;
    environment.retain(|(name, _)| !name.contains("_S3_"));
    environment.extend(
        storage::bucket_environment(t.data_dir())
            .into_iter()
            .filter(|(name, _)| name.contains("_S3_")),
    );
    let (to, place) = killed_in_its_place(t.data_dir(), &environment);
    // It waits until the one that was killed counts as dead, and goes on with what that has left.
    let args = ["backup", "--to", &to, "--json", "--keep", "1"];
    let told = json_of(&longshore(&args, t.data_dir(), &environment));
    assert_eq!(
        (&told["segments"], &told["damagedSegments"]),
        (&json!(20), &json!(0))
    );
    assert!(lease(&place).unwrap().contains("nothing"));
    let credentials = t.credentials.clone();
    assert!(t.running.stop().await);
    let dir = tempfile::tempdir().unwrap();
    environment.retain(|(name, _)| name.contains("_S3_"));
    let restored = longshore(&["restore", "--from", &to], dir.path(), &environment);
    assert!(restored.status.success(), "{restored:?}");
    let change = here(dir.path());
    let t = TestServer::over(dir, None, credentials, change).await;
    expected.check(&t).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_its_segments_is_not_served_unless_one_says_so() {
    let (t, environment, expected) = stocked(3).await;
    let backups = tempfile::tempdir().unwrap();
    let to = backups.path().to_str().unwrap();
    let told = json_of(&longshore(
        &["backup", "--to", to, "--json"],
        t.data_dir(),
        &environment,
    ));
    assert_eq!(told["copiedSegments"], 3);
    let again = json_of(&longshore(
        &["backup", "--to", to, "--json", "--keep", "1"],
        t.data_dir(),
        &environment,
    ));
    assert_eq!(again["copiedSegments"], 0);
    assert_eq!(again["removedBackups"], json!([told["id"]]));
    let credentials = t.credentials.clone();
    assert!(t.running.stop().await);

    let mut copies = segments(backups.path());
    copies.sort();
    let mut rotten = fs::read(&copies[0]).unwrap();
    rotten[200_000] ^= 1;
    fs::write(&copies[0], &rotten).unwrap();
    fs::remove_file(&copies[1]).unwrap();
    let (dir, nothing) = (tempfile::tempdir().unwrap(), Vec::new());
    for args in [
        &["restore", "--from", to, "--verify"][..],
        &["restore", "--from", to],
    ] {
        let refused = longshore(args, dir.path(), &nothing);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let text = String::from_utf8_lossy(&refused.stdout).into_owned();
        assert_eq!(
            text.matches("needed by 000000000000/us-east-1/app@sha256:")
                .count(),
            2,
            "{text}"
        );
        assert!(text.contains("(v0)") || text.contains("(v1)"), "{text}");
    }
    let served = longshore(&["serve", "--listen", "127.0.0.1:0"], dir.path(), &nothing);
    let text = String::from_utf8_lossy(&served.stderr).into_owned();
    assert!(text.contains("is being restored from a backup"), "{text}");
    let args = ["restore", "--from", to, "--without-missing"];
    let restored = longshore(&args, dir.path(), &nothing);
    assert!(restored.status.success(), "{restored:?}");
    let change = here(dir.path());
    let t = TestServer::over(dir, None, credentials, change).await;
    let password = t.password().await;
    let mut whole = 0;
    for (_, layer) in &expected.blobs {
        let path = format!("app/blobs/{}", digest_of(layer));
        let status = t.v2(&password, "GET", &path).send().await.status;
        whole += usize::from(status == 200);
        assert!([200, 404].contains(&status), "{status}");
        t.push_blob(&password, "app", layer).await;
    }
    assert_eq!(whole, 1);
    expected.check(&t).await;
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let (empty, data) = (tempfile::tempdir().unwrap(), TempDir::new().unwrap());
    let nowhere = empty.path().join("none");
    let cases = [
        (nowhere.to_str().unwrap(), "there are no backups in it"),
        ("s3://b", "the name of a bucket"),
        (
            "https://example.com",
            "it is `file`, `file:///DIRECTORY` or `s3://BUCKET/PREFIX`",
        ),
    ];
    for (from, why) in cases {
        let refused = longshore(&["restore", "--from", from], data.path(), &Vec::new());
        assert_eq!(refused.status.code(), Some(1));
        let text = String::from_utf8_lossy(&refused.stderr);
        assert!(text.contains(why), "{text}");
    }
    let refused = longshore(
        &["backup", "--to", empty.path().to_str().unwrap()],
        data.path(),
        &Vec::new(),
    );
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(text.contains("holds no store yet"), "{text}");
}

//! `longshore scrub` and `longshore gc`, beside a running server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use longshore_testbed::s3::{self, S3Server};
use serde_json::Value;

use crate::{
    harness::{Answer, TestServer, digest_of, storage},
    transfer::proxy::Proxy,
};

/// More than stays in a row.
const LARGE: usize = 300_000;

fn longshore(args: &[&str], data: &Path, variables: Vec<(&str, String)>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
    command.args(args).arg("--data-dir").arg(data).env_clear();
    command.envs(variables);
    command.output().unwrap()
}

/// Runs a command on the stores of a server.
fn beside(server: &TestServer, args: &[&str]) -> Output {
    longshore(args, server.data_dir(), server.environment())
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn segments(data: &Path) -> Vec<PathBuf> {
    let shards = fs::read_dir(storage::blobs_dir(data)).unwrap();
    let shards = shards.map(|shard| shard.unwrap().path());
    shards
        .filter(|shard| shard.is_dir() && !shard.ends_with("keys"))
        .flat_map(|shard| fs::read_dir(shard).unwrap())
        .map(|file| file.unwrap().path())
        .collect()
}

/// A server with one large blob in a repository.
async fn with_a_blob() -> (TestServer, String) {
    let server = TestServer::start().await;
    server.create("app").await;
    let password = server.password().await;
    let digest = server.push_blob(&password, "app", &vec![7; LARGE]).await;
    (server, digest)
}

async fn pull(server: &TestServer, digest: &str) -> Answer {
    let path = format!("app/blobs/{digest}");
    let password = server.password().await;
    server.v2(&password, "GET", &path).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn scrub_finds_rot_beside_a_running_server_which_then_serves_it_no_more() {
    let (server, digest) = with_a_blob().await;
    let data = server.data_dir().to_owned();
    let sound = beside(&server, &["scrub", "--json"]);
    assert!(sound.status.success(), "{sound:?}");
    assert_eq!(json(&sound)["blobs"], 1);
    assert_eq!(json(&sound)["bytes"], LARGE);

    let segment = &segments(&data)[0];
    let good = fs::read(segment).unwrap();
    let mut rotten = good.clone();
    rotten[LARGE / 2] ^= 1;
    fs::write(segment, &rotten).unwrap();
    let found = beside(&server, &["scrub"]);
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    let text = String::from_utf8_lossy(&found.stdout);
    assert!(
        text.contains("1 damaged") && text.contains(&digest),
        "{text}"
    );
    assert_eq!(pull(&server, &digest).await.status, 404);

    fs::write(segment, &good).unwrap();
    let mended = beside(&server, &["scrub", "--json", "--rate", "100"]);
    assert_eq!(json(&mended)["repaired"], 1, "{mended:?}");
    let pulled = pull(&server, &digest).await;
    assert_eq!((pulled.status, digest_of(&pulled.body)), (200, digest));
}

fn rot(segment: &Path) {
    let mut bytes = fs::read(segment).unwrap();
    bytes[LARGE / 2] ^= 1;
    fs::write(segment, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn scrub_repairs_from_a_backup_beside_a_running_server() {
    let (server, digest) = with_a_blob().await;
    let place = tempfile::tempdir().unwrap();
    let at = place.path().to_str().unwrap();
    let none = beside(&server, &["scrub", "--repair-from", at]);
    assert_eq!(none.status.code(), Some(1));
    let text = String::from_utf8_lossy(&none.stderr);
    assert!(text.contains("there are no backups in it"), "{text}");

    let made = beside(&server, &["backup", "--to", at]);
    assert!(made.status.success(), "{made:?}");
    rot(&segments(server.data_dir())[0]);
    assert!(!beside(&server, &["scrub"]).status.success());
    assert_eq!(pull(&server, &digest).await.status, 404);
    let mended = beside(&server, &["scrub", "--json", "--repair-from", at]);
    assert!(mended.status.success(), "{mended:?}");
    let told = json(&mended);
    assert_eq!(
        (&told["damaged"], &told["repaired"]),
        (&0.into(), &1.into())
    );
    assert_eq!(told["repairs"][0]["digest"], digest, "{told}");
    let pulled = pull(&server, &digest).await;
    assert_eq!((pulled.status, digest_of(&pulled.body)), (200, digest));

    // What came after the backup is in none.
    let password = server.password().await;
    let later = server.push_blob(&password, "app", &vec![8; LARGE]).await;
    for segment in segments(server.data_dir()) {
        rot(&segment);
    }
    let partly = beside(&server, &["scrub", "--repair-from", at]);
    assert_eq!(partly.status.code(), Some(1), "{partly:?}");
    let text = String::from_utf8_lossy(&partly.stdout);
    assert!(text.contains("1 damaged, 1 whole again"), "{text}");
    let line = text.lines().find(|line| line.starts_with(&later));
    assert!(
        line.is_some_and(|line| line.contains("no backup that was asked has it")),
        "{text}"
    );
}

/// Says that somebody removes backups in a place.
fn says_removing(place: &Path, number: u32) {
    let (lease, beside) = (place.join("lease"), place.join("lease.new"));
    fs::create_dir_all(&lease).unwrap();
    // It comes whole, as an object does.
    fs::write(&beside, r#"{"owner":"somebody","doing":"removing"}"#).unwrap();
    fs::rename(&beside, lease.join(format!("{number:012}"))).unwrap();
}

/// Says so again and again, until the other end of the channel is dropped.
fn removing(place: &Path, stop: &mpsc::Receiver<()>) {
    for number in 101.. {
        let wait = Duration::from_millis(100);
        if stop.recv_timeout(wait) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
        says_removing(place, number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scrub_repairs_from_a_bucket_and_not_while_backups_are_removed_there() {
    let (server, digest) = with_a_blob().await;
    let prefix = S3Server::shared().fresh_prefix();
    let (at, place) = (
        format!("s3://{}/{prefix}", s3::BUCKET),
        S3Server::shared().path(&prefix),
    );
    let mut variables = storage::bucket_environment(server.data_dir());
    variables.retain(|(name, _)| name.contains("_S3_"));
    variables.extend(server.environment());
    let run = |args: &[&str]| longshore(args, server.data_dir(), variables.clone());
    let made = run(&["backup", "--to", &at]);
    assert!(made.status.success(), "{made:?}");
    rot(&segments(server.data_dir())[0]);

    says_removing(&place, 100);
    let (going_on, stop) = mpsc::channel::<()>();
    let removes = thread::spawn({
        let place = place.clone();
        move || removing(&place, &stop)
    });
    let repair = ["scrub", "--json", "--repair-from", &at];
    let refused = run(&repair);
    drop(going_on);
    removes.join().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(text.contains("removes older ones"), "{text}");

    fs::remove_dir_all(place.join("lease")).unwrap();
    let mended = run(&repair);
    assert!(mended.status.success(), "{mended:?}");
    assert_eq!(json(&mended)["repaired"], 1, "{mended:?}");
    let pulled = pull(&server, &digest).await;
    assert_eq!((pulled.status, digest_of(&pulled.body)), (200, digest));
    // It is said no more that somebody reads there.
    let pins = fs::read_dir(place.join("pins")).into_iter().flatten();
    assert_eq!(pins.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn scrub_says_when_nobody_learns_that_it_reads_backups() {
    let (server, _) = with_a_blob().await;
    let at = format!("s3://{}/{}", s3::BUCKET, S3Server::shared().fresh_prefix());
    let bucket = storage::bucket_environment(server.data_dir());
    let variables = |endpoint: String| {
        let backups = bucket.iter().filter_map(|(name, value)| {
            let name = name.strip_prefix("LONGSHORE_S3_")?;
            let value = if name == "ENDPOINT" { &endpoint } else { value };
            Some((format!("LONGSHORE_BACKUP_S3_{name}"), value.clone()))
        });
        let store = server.environment().into_iter();
        let store = store.map(|(name, value)| (name.to_owned(), value));
        store.chain(backups).collect::<Vec<_>>()
    };
    let run = |args: &[&str], endpoint: String| {
        let variables = variables(endpoint);
        let variables = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()));
        longshore(args, server.data_dir(), variables.collect())
    };
    let endpoint = S3Server::shared().endpoint();
    let made = run(&["backup", "--to", &at], endpoint.clone());
    assert!(made.status.success(), "{made:?}");
    rot(&segments(server.data_dir())[0]);

    // With these credentials one may only read.
    let reads = |asked: &str, whole: Vec<u8>| {
        if asked.starts_with("PUT ") {
            return b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_vec();
        }
        whole
    };
    let address = endpoint.trim_start_matches("http://").parse().unwrap();
    let proxy = Proxy::before(address, Box::new(reads)).await;
    let endpoint = format!("http://{}", proxy.address);
    let mended = run(&["scrub", "--json", "--repair-from", &at], endpoint);
    assert!(mended.status.success(), "{mended:?}");
    assert_eq!(json(&mended)["repaired"], 1, "{mended:?}");
    let text = String::from_utf8_lossy(&mended.stderr);
    assert!(text.contains("no backup knows that it is read"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gc_tells_and_collects_beside_a_running_server() {
    let (server, _) = with_a_blob().await;
    let due = beside(&server, &["gc", "--dry-run", "--json"]);
    assert_eq!(json(&due)["links"], 0, "{due:?}");
    let done = beside(&server, &["gc"]);
    assert!(done.status.success(), "{done:?}");
    let text = String::from_utf8_lossy(&done.stdout);
    assert!(
        text.starts_with("collected 0 abandoned uploads, 0 links"),
        "{text}"
    );
}

#[test]
fn a_directory_without_a_store_is_said_to_be_none() {
    let empty = tempfile::tempdir().unwrap();
    for args in [&["scrub"][..], &["gc"], &["gc", "--dry-run"]] {
        let refused = longshore(args, empty.path(), Vec::new());
        assert_eq!(refused.status.code(), Some(1));
        let text = String::from_utf8_lossy(&refused.stderr);
        assert!(text.contains("holds no store yet"), "{text}");
    }
}

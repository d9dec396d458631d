//! The program as a process under load: its descriptors, and how it ends.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use longshore::first_start::Credentials;
use longshore_registry::secret::AccessKeyPair;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{
    Answer, Connection, Request, TestServer, basic, connect, digest_of, password_of,
};

const KEY: &str = "AKIAROOTROOTROOTROOT";
const SECRET: &str = "rootrootrootrootrootrootrootrootrootroot";

/// A running process, killed when it is dropped.
struct Process {
    child: Child,
    address: SocketAddr,
    dir: TempDir,
}

impl Process {
    fn start(more: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_longshore"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir.path())
            .args(more)
            .env("LONGSHORE_ROOT_ACCESS_KEY_ID", KEY)
            .env("LONGSHORE_ROOT_SECRET_ACCESS_KEY", SECRET)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let port = lines
            .map(Result::unwrap)
            .find_map(|line| {
                let url = line.strip_prefix("Longshore is ready at ")?;
                Some(url.rsplit(':').next().unwrap().to_owned())
            })
            .unwrap();
        Self {
            child,
            address: format!("127.0.0.1:{port}").parse().unwrap(),
            dir,
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap()).unwrap()
    }

    /// What its descriptors are.
    fn descriptors(&self) -> Vec<String> {
        let all = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        // One that is closed meanwhile is none.
        all.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
            .map(|target| target.to_string_lossy().into_owned())
            .collect()
    }

    fn segments_open(&self) -> usize {
        let blobs = self.dir.path().join("blobs").to_str().unwrap().to_owned();
        let all = self.descriptors();
        all.iter()
            .filter(|target| target.starts_with(&blobs))
            .count()
    }

    async fn aws(&self, operation: &str, input: &Value) -> Answer {
        let call = Request::new(self.address, "POST", "/")
            .header("Content-Type", "application/x-amz-json-1.1")
            .header(
                "X-Amz-Target",
                format!("AmazonEC2ContainerRegistry_V20150921.{operation}"),
            )
            .body(input.to_string());
        let credentials = Credentials {
            key: AccessKeyPair {
                id: KEY.to_owned(),
                secret: SECRET.to_owned(),
            },
            url: String::new(),
            region: "us-east-1".parse().unwrap(),
        };
        TestServer::sign_as(call, &credentials, "ecr").send().await
    }

    /// Makes the repository `app`; returns a password for it.
    async fn prepare(&self) -> String {
        let app = json!({ "repositoryName": "app" });
        self.aws("CreateRepository", &app).await.expect(200);
        let token = self.aws("GetAuthorizationToken", &json!({})).await;
        password_of(&token.expect(200))
    }

    fn v2(&self, password: &str, method: &str, path: &str) -> Request {
        Request::new(self.address, method, &format!("/v2/app/{path}"))
            .header("Authorization", basic("AWS", password))
    }

    async fn push(&self, password: &str, blob: &[u8]) -> String {
        let digest = digest_of(blob);
        let path = format!("blobs/uploads/?digest={digest}");
        let push = self.v2(password, "POST", &path).body(blob);
        push.send().await.expect(201);
        digest
    }

    async fn health(&self) -> Answer {
        Request::new(self.address, "GET", "/healthz").send().await
    }

    fn stop(&self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
    }

    async fn ended(mut self) -> ExitStatus {
        tokio::task::spawn_blocking(move || self.child.wait().unwrap())
            .await
            .unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn more_connections_than_descriptors_are_told_to_come_back() {
    let process = Process::start(&[]);
    process.health().await.expect(200);
    let left = 12;
    let current = process.descriptors().len() as u64 + left;
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = |current| Rlimit { current, maximum };
    let before = prlimit(Some(process.pid()), Resource::Nofile, limit(Some(current))).unwrap();
    let (mut served, mut told) = (Vec::new(), 0);
    for _ in 0..60 {
        let mut connection = connect(process.address).await;
        let ask = Request::new(process.address, "GET", "/healthz");
        let answer = connection.send(ask).await;
        match answer.status {
            200 => served.push(connection),
            503 => {
                assert_eq!(answer.header("retry-after"), Some("1"));
                told += 1;
            }
            other => panic!("{other}"),
        }
    }
    // The limit is on the numbers of descriptors, of which some lower ones may be free.
    assert!(!served.is_empty() && told > 30, "{} {told}", served.len());
    // It neither died nor forgot them: whoever comes when there is room is served.
    drop(served);
    while process.health().await.status == 503 {}
    prlimit(Some(process.pid()), Resource::Nofile, before).unwrap();
    process.health().await.expect(200);
}

#[tokio::test]
async fn without_descriptors_a_push_is_told_to_come_back_and_loses_nothing() {
    let process = Process::start(&[]);
    let password = process.prepare().await;
    let blob = vec![7; 1024 * 1024];
    let digest = process.push(&password, &blob).await;
    let mut connection = connect(process.address).await;
    let pull = process.v2(&password, "GET", &format!("blobs/{digest}"));
    connection.send(pull.clone()).await.expect(200);
    // As many as are open: the spare ones are for connections alone.
    let current = process.descriptors().len() as u64;
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: Some(current),
        maximum,
    };
    let before = prlimit(Some(process.pid()), Resource::Nofile, limit).unwrap();
    let other = vec![8; 1024 * 1024];
    let path = format!("blobs/uploads/?digest={}", digest_of(&other));
    let push = process.v2(&password, "POST", &path).body(other);
    let refused = connection.send(push.clone()).await.expect(503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    prlimit(Some(process.pid()), Resource::Nofile, before).unwrap();
    push.send().await.expect(201);
    assert_eq!(pull.send().await.expect(200).body, blob);
}

#[tokio::test]
async fn pulls_of_one_blob_share_a_descriptor() {
    let process = Process::start(&[]);
    let password = process.prepare().await;
    // More than the buffers of both sockets hold.
    let digest = process.push(&password, &vec![7; 16 * 1024 * 1024]).await;
    let pull = process.v2(&password, "GET", &format!("blobs/{digest}"));
    let mut pulls = Vec::new();
    for _ in 0..50 {
        let mut connection: Connection = connect(process.address).await;
        connection.write(&pull.to_bytes()).await;
        pulls.push(connection);
    }
    while process.descriptors().len() < 50 {}
    // Those who come first at the same time may open it each, and keep one.
    for _ in 0..500 {
        if process.segments_open() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(process.segments_open(), 1, "{:?}", process.descriptors());
    for mut pull in pulls {
        assert!(pull.answer(false).await.unwrap().expect(200).is_whole);
    }
    assert_eq!(process.segments_open(), 1);
}

#[tokio::test]
async fn a_stop_under_load_finishes_pulls_and_pushes() {
    const EACH: u8 = 10;
    let process = Process::start(&["--drain-seconds", "60"]);
    let password = process.prepare().await;
    let blob = vec![7; 16 * 1024 * 1024];
    let digest = process.push(&password, &blob).await;
    let (mut pulls, mut pushes) = (Vec::new(), Vec::new());
    for at in 0..EACH {
        let mut connection = connect(process.address).await;
        let pull = process.v2(&password, "GET", &format!("blobs/{digest}"));
        connection.write(&pull.to_bytes()).await;
        pulls.push(connection);
        let pushed = vec![100 + at; 1024 * 1024];
        let path = format!("blobs/uploads/?digest={}", digest_of(&pushed));
        let push = process.v2(&password, "POST", &path).body(pushed).to_bytes();
        let (first, rest) = push.split_at(push.len() / 2);
        let mut connection = connect(process.address).await;
        connection.write(first).await;
        pushes.push((connection, rest.to_vec()));
    }
    // A request that has been answered is surely behind those that came before it.
    process.health().await.expect(200);
    while process.segments_open() < 1 + usize::from(EACH) {}
    process.stop();
    while tokio::net::TcpStream::connect(process.address)
        .await
        .is_ok()
    {}
    for (mut connection, rest) in pushes {
        connection.write(&rest).await;
        connection.answer(false).await.unwrap().expect(201);
    }
    for mut connection in pulls {
        let answer = connection.answer(false).await.unwrap().expect(200);
        assert!(answer.is_whole && answer.body == blob);
    }
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_stop_does_not_wait_for_those_who_never_finish() {
    let process = Process::start(&["--drain-seconds", "1"]);
    let password = process.prepare().await;
    let digest = process.push(&password, &vec![7; 16 * 1024 * 1024]).await;
    let mut stuck = connect(process.address).await;
    let pull = process.v2(&password, "GET", &format!("blobs/{digest}"));
    stuck.write(&pull.to_bytes()).await;
    let mut half = connect(process.address).await;
    let push = process
        .v2(
            &password,
            "POST",
            &format!("blobs/uploads/?digest={digest}"),
        )
        .header("Content-Length", "1000000")
        .body("half");
    half.write(&push.to_bytes()).await;
    process.health().await.expect(200);
    process.stop();
    assert_eq!(process.ended().await.code(), Some(0));
    assert!(half.is_closed().await);
}

//! `longshore rekey`, beside running servers.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use longshore::config::{Config, MasterKeySource};
use serde_json::{Value, json};

use crate::harness::{Image, MASTER_KEY, TestServer, storage};

const NEW: &str = "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b";

fn rekey(server: &TestServer, args: &[&str]) -> Output {
    command(server, args).output().unwrap()
}

/// While others go on.
async fn beside(server: &TestServer, args: &[&str]) -> Output {
    let mut command = command(server, args);
    let running = tokio::task::spawn_blocking(move || command.output());
    running.await.unwrap().unwrap()
}

fn command(server: &TestServer, args: &[&str]) -> Command {
    let data = server.data_dir();
    let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
    command.args(["rekey", "--json"]).args(args);
    command.arg("--data-dir").arg(data).env_clear();
    command.envs(storage::environment(data));
    command.envs(server.environment());
    command
}

/// The same, once the new master key is the only one.
fn command_by_new(server: &TestServer, args: &[&str]) -> Command {
    let mut command = command(server, args);
    let mut names = command.get_envs().map(|(name, _)| name);
    if names.any(|name| name == "LONGSHORE_MASTER_KEY") {
        command.env("LONGSHORE_MASTER_KEY", NEW);
    }
    command
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn new_key(dir: &Path) -> String {
    let path = dir.join("new.key");
    fs::write(&path, format!("{NEW}\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Gives a server the new key as its second one, where it does not find it by itself.
fn second(config: &mut Config) {
    if !matches!(config.master_key, MasterKeySource::DataDir) {
        config.second_master_key = Some(MasterKeySource::Text(NEW.to_owned()));
    }
}

/// Leaves the new key alone, where it is not in the data directory.
fn new_alone(config: &mut Config) {
    if !matches!(config.master_key, MasterKeySource::DataDir) {
        config.master_key = MasterKeySource::Text(NEW.to_owned());
    }
}

/// Makes repositories, pushes and pulls, until told to stop; returns how often.
async fn use_it(server: &TestServer, name: &str, stop: &AtomicBool) -> usize {
    let mut done = 0;
    while !stop.load(Ordering::Relaxed) {
        push_and_pull(server, &format!("{name}/{done}")).await;
        done += 1;
    }
    done
}

async fn push_and_pull(server: &TestServer, repository: &str) {
    server.create(repository).await;
    let password = server.password().await;
    let image = Image::new(repository, 2);
    server.push(&password, repository, "v1", &image).await;
    pull(server, repository).await;
}

async fn pull(server: &TestServer, repository: &str) {
    let password = server.password().await;
    let path = format!("{repository}/manifests/v1");
    let pulled = server.v2(&password, "GET", &path).send().await.expect(200);
    assert_eq!(pulled.body, Image::new(repository, 2).manifest());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_key_is_exchanged_under_a_server_that_works_all_the_time() {
    let outside = tempfile::tempdir().unwrap();
    let new = new_key(outside.path());
    let server = TestServer::with(second).await;
    push_and_pull(&server, "before").await;
    let master = server.data_dir().join("master.key");
    let old = fs::read_to_string(&master).ok();

    let stop = AtomicBool::new(false);
    let exchanging = async {
        let done = beside(&server, &["--new-master-key-file", &new]).await;
        stop.store(true, Ordering::Relaxed);
        done
    };
    let (done, _) = tokio::join!(exchanging, use_it(&server, "during", &stop));
    assert!(done.status.success(), "{done:?}");
    let told = json(&done);
    assert_eq!(told["masterKey"]["unreadable"], 0, "{told}");
    assert!(
        told["masterKey"]["resealed"].as_u64().unwrap() >= 3,
        "{told}"
    );
    if let Some(old) = old {
        assert_eq!(fs::read_to_string(&master).unwrap().trim(), NEW);
        let kept = told["oldMasterKey"].as_str().unwrap();
        assert_eq!(fs::read_to_string(kept).unwrap(), old);
        assert!(!server.data_dir().join("master.key.next").exists());
    }
    // It goes on, makes secrets, and starts again with the new key alone.
    push_and_pull(&server, "after").await;
    server.iam("CreateAccessKey", &[]).await.expect(200);
    let again = rekey(&server, &["--new-master-key-file", &new]);
    let server = match server.restart_with(new_alone).await {
        Ok(server) => server,
        Err(error) => panic!("{error:?}"),
    };
    if master.exists() {
        assert!(again.status.success(), "{again:?}");
        assert_eq!(json(&again)["masterKey"]["rows"], 0);
    }
    for repository in ["before", "after"] {
        pull(&server, repository).await;
    }
    let refused = server
        .restart_with(|config| config.master_key = MasterKeySource::Text(MASTER_KEY.to_owned()))
        .await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the master key is not the one this store was made with"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_file_that_was_not_put_in_place_any_more_is_put_there_later() {
    let outside = tempfile::tempdir().unwrap();
    let new = new_key(outside.path());
    let server = TestServer::start().await;
    let master = server.data_dir().join("master.key");
    if !master.exists() {
        return;
    }
    push_and_pull(&server, "before").await;
    // The key lies beside the old one, and the rows are under it: all but the last step.
    fs::write(server.data_dir().join("master.key.next"), NEW).unwrap();
    let path = master.to_str().unwrap();
    let done = rekey(
        &server,
        &["--master-key-file", path, "--new-master-key-file", &new],
    );
    assert!(done.status.success(), "{done:?}");
    assert_ne!(fs::read_to_string(&master).unwrap().trim(), NEW);
    pull(&server, "before").await;
    let server = server.restart().await;
    pull(&server, "before").await;
    let done = rekey(&server, &["--new-master-key-file", &new]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(fs::read_to_string(&master).unwrap().trim(), NEW);
    pull(&server.restart().await, "before").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_refused_and_nothing_is_changed() {
    let outside = tempfile::tempdir().unwrap();
    let new = new_key(outside.path());
    let server = TestServer::start().await;
    let wrong = outside.path().join("wrong.key");
    fs::write(&wrong, "00".repeat(32)).unwrap();
    let wrong = wrong.to_str().unwrap();
    let refused = rekey(
        &server,
        &["--master-key-file", wrong, "--new-master-key-file", &new],
    );
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(
        text.contains("the master key is not the one this store was made with"),
        "{text}"
    );
    fs::write(outside.path().join("new.key"), "no key").unwrap();
    let refused = rekey(&server, &["--new-master-key-file", &new]);
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(text.contains("64 hexadecimal digits"), "{text}");
    push_and_pull(&server.restart().await, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_on_one_database_hold_two_keys_until_the_old_one_goes() {
    let outside = tempfile::tempdir().unwrap();
    let new = new_key(outside.path());
    let a = TestServer::on_postgres_with(second).await;
    let b = a.replica_with(second).await;
    push_and_pull(&a, "before").await;
    let stop = AtomicBool::new(false);
    let exchanging = async {
        let done = beside(&a, &["--new-master-key-file", &new]).await;
        stop.store(true, Ordering::Relaxed);
        done
    };
    let (done, _, _) = tokio::join!(
        exchanging,
        use_it(&a, "from-a", &stop),
        use_it(&b, "from-b", &stop)
    );
    assert!(done.status.success(), "{done:?}");
    let c = a.replica_with(new_alone).await;
    for server in [&a, &b, &c] {
        pull(server, "before").await;
        server
            .iam(
                "CreateUser",
                &[("UserName", &server.host().replace([':', '.'], "-"))],
            )
            .await
            .expect(200);
    }
    let input = json!({ "repositoryName": "last" });
    c.aws("CreateRepository", &input).await.expect(200);
}

/// Runs a command and kills it after so long; returns what it told if it had ended before.
async fn killed_after(mut command: Command, delay: Duration) -> Option<Output> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tokio::time::sleep(delay).await;
    child.kill().unwrap();
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output());
    let ended = ended.await.unwrap().unwrap();
    ended.status.code().map(|_| ended)
}

/// Kills the command later and later, until it ends by itself; returns what it tells then and how often it was killed.
async fn killed_until_done(command: impl Fn() -> Command) -> (Output, u32) {
    for kills in 0.. {
        let delay = Duration::from_millis(u64::from(20 + 10 * kills + kills * kills));
        if let Some(ended) = killed_after(command(), delay).await {
            return (ended, kills);
        }
    }
    unreachable!("some run is not killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_exchanges_are_killed_again_and_again_and_then_the_new_key_alone_opens_everything() {
    let outside = tempfile::tempdir().unwrap();
    let new = new_key(outside.path());
    let server = TestServer::with(second).await;
    for number in 0..20 {
        push_and_pull(&server, &format!("app{number}")).await;
    }
    let users: Vec<String> = (0..60).map(|number| format!("user{number}")).collect();
    for user in &users {
        for action in ["CreateUser", "CreateAccessKey"] {
            server.iam(action, &[("UserName", user)]).await.expect(200);
        }
    }
    let password = server.password().await;
    let large = vec![7; 300_000];
    let digest = server.push_blob(&password, "app0", &large).await;

    let args = ["--new-master-key-file", &new];
    let (done, kills) = killed_until_done(|| command(&server, &args)).await;
    assert!(done.status.success() && kills > 1, "{kills} {done:?}");
    assert_eq!(json(&done)["masterKey"]["unreadable"], 0, "{done:?}");
    push_and_pull(&server, "between").await;
    let server = server.restart_with(new_alone).await.unwrap();

    let domains = || command_by_new(&server, &["--domains"]);
    // While servers learn of the new keys, which takes twenty seconds, and then while rows are sealed anew.
    for millis in [100, 300, 1_000] {
        let delay = Duration::from_millis(millis);
        let ended = killed_after(domains(), delay).await;
        assert!(ended.is_none(), "{ended:?}");
    }
    tokio::time::sleep(Duration::from_secs(21)).await;
    let (done, kills) = killed_until_done(domains).await;
    assert!(done.status.success() && kills > 1, "{kills} {done:?}");
    let told = &json(&done)["domains"];
    assert_eq!(
        (&told["unreadable"], &told["newKeys"]),
        (&0.into(), &1.into())
    );
    // The last run went on with the first one.
    assert!(told["resumedFrom"].is_string(), "{told}");

    let server = server.restart_with(new_alone).await.unwrap();
    for repository in (0..20)
        .map(|number| format!("app{number}"))
        .chain(["between".to_owned()])
    {
        pull(&server, &repository).await;
    }
    let path = format!("app0/blobs/{digest}");
    let password = server.password().await;
    let pulled = server.v2(&password, "GET", &path).send().await.expect(200);
    assert_eq!(pulled.body, large);
    push_and_pull(&server, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_get_new_keys_under_a_server_that_works_all_the_time() {
    let server = TestServer::start().await;
    push_and_pull(&server, "before").await;
    let password = server.password().await;
    let large = vec![7; 300_000];
    let digest = server.push_blob(&password, "before", &large).await;
    let stop = AtomicBool::new(false);
    let exchanging = async {
        let done = beside(&server, &["--domains"]).await;
        stop.store(true, Ordering::Relaxed);
        done
    };
    let (done, pushed) = tokio::join!(exchanging, use_it(&server, "during", &stop));
    assert!(done.status.success(), "{done:?}");
    let told = json(&done);
    assert_eq!(told["domains"]["newKeys"], 1, "{told}");
    assert_eq!(told["domains"]["unreadable"], 0, "{told}");
    // The key before has sealed until now.
    assert_eq!(told["domains"]["oldKeys"], 1, "{told}");
    assert!(told["domains"]["resealed"].as_u64().unwrap() > 4, "{told}");
    let server = server.restart().await;
    pull(&server, "before").await;
    pull(&server, &format!("during/{}", pushed - 1)).await;
    let path = format!("before/blobs/{digest}");
    let pulled = server.v2(&password, "GET", &path).send().await.expect(200);
    assert_eq!(pulled.body, large);
    let finished = rekey(&server, &["--domains", "--finish"]);
    assert_eq!(json(&finished)["domains"]["newKeys"], 0, "{finished:?}");
}

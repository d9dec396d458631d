//! A replica and a backup that are put to sleep in the middle of their work, while everybody else goes on: clients push, the
//! keys are exchanged, another backup wants to begin.

use std::{
    env,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    REPOSITORY, api,
    http::{Connection, PATIENCE},
    load::{HASTE, Load},
    replicas::three,
    signal, stop,
    stores::Stores,
    until,
};

/// The master key that takes the place of the first one.
const NEXT_KEY: &str = "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b";
/// How long they sleep, in seconds: longer than a client waits for an answer. A hold of a backup lives for 120.
const SLEEP: (&str, u64) = ("LONGSHORE_TEST_SLEEP", 7);

type Environment = Vec<(&'static str, String)>;

fn longshore(args: &[&str], data: &Path, environment: &Environment) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
    command.args(args).arg("--json").arg("--data-dir").arg(data);
    command.envs(environment.iter().cloned());
    command.stdin(Stdio::null());
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn succeed(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

/// Runs a command until it succeeds: what it needs may be locked by a server that was put to sleep in a transaction.
fn succeed_at_last(start: impl Fn() -> Child) {
    let began = Instant::now();
    loop {
        let output = start().wait_with_output().unwrap();
        if output.status.success() {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{output:?}");
    }
}

/// A backup that was put to sleep while it has its place, and the place.
fn sleeping_backup(stores: &Stores, data: &Path, environment: &Environment) -> (Child, String) {
    for idx in 0..20 {
        let place = format!("backups-{idx}");
        let to = stores.beside(&place);
        let backup = longshore(&["backup", "--to", &to], data, environment);
        until("it has the place", || stores.lease(&place).is_some());
        signal(&backup, "STOP");
        // What it has asked for is done meanwhile.
        thread::sleep(Duration::from_millis(200));
        let lease = stores.lease(&place).unwrap();
        if lease.contains("adding") {
            return (backup, to);
        }
        signal(&backup, "CONT");
        succeed(backup);
    }
    panic!("every backup had ended before it was put to sleep");
}

fn serves(address: SocketAddr) -> bool {
    let ask = || {
        Connection::within(address, HASTE)?.send("GET", "/readyz", &[("host", "localhost")], b"")
    };
    ask().is_ok_and(|answer| answer.status == 200)
}

#[test]
fn what_goes_on_while_a_replica_and_a_backup_sleep_is_not_undone_when_they_wake() {
    let (name, least) = SLEEP;
    let seconds = env::var(name).map_or(least, |text| text.parse().unwrap());
    let sleep = Duration::from_secs(seconds.max(least));
    let directory = tempfile::tempdir().unwrap();
    let stores = Stores::shared(&directory.path().join("shared"));
    let mut both_keys = stores.environment();
    both_keys.push(("LONGSHORE_SECOND_MASTER_KEY", NEXT_KEY.to_owned()));
    let mut next_alone = stores.environment();
    next_alone.push(("LONGSHORE_MASTER_KEY", NEXT_KEY.to_owned()));
    let next_key = directory.path().join("next.key");
    std::fs::write(&next_key, NEXT_KEY).unwrap();

    let mut replicas = three(directory.path());
    let start = |replica: &mut crate::replicas::Replica| replica.start_with(both_keys.clone());
    let addresses: Vec<SocketAddr> = replicas.iter_mut().map(start).collect();
    let create = json!({"repositoryName": REPOSITORY}).to_string();
    let created = api::call(addresses[0], "CreateRepository", &create);
    assert_eq!(created.unwrap().status, 200);
    let load = Arc::new(Load::new(addresses.clone()));
    let workers = load.start();
    load.until_more(40);

    signal(&replicas[0].server.as_ref().unwrap().0, "STOP");
    let operator = directory.path().join("operator");
    let rekey = [
        "rekey",
        "--domains",
        "--new-master-key-file",
        next_key.to_str().unwrap(),
    ];
    succeed_at_last(|| longshore(&rekey, &operator, &stores.environment()));
    let first = directory.path().join("first");
    let (sleeper, place) = sleeping_backup(&stores, &first, &next_alone);
    let asleep = Instant::now();
    let backup = ["backup", "--to", &place];
    let other = longshore(&backup, &directory.path().join("second"), &next_alone);
    succeed_at_last(|| longshore(&["gc"], &operator, &next_alone));
    load.until_more(40);
    thread::sleep(sleep.saturating_sub(asleep.elapsed()));
    signal(&replicas[0].server.as_ref().unwrap().0, "CONT");
    signal(&sleeper, "CONT");
    until("it serves again", || serves(addresses[0]));
    load.until_more(40);
    load.end(workers);

    // Of two backups one had the place at any moment; whoever lost it said so.
    let [first, second] = [sleeper, other].map(|backup| backup.wait_with_output().unwrap());
    println!(
        "after {sleep:?}: the backup that slept {}, the other one {}",
        first.status, second.status
    );
    assert!(
        first.status.success() || second.status.success(),
        "{first:?} {second:?}"
    );
    for refused in [&first, &second]
        .into_iter()
        .filter(|output| !output.status.success())
    {
        let told = String::from_utf8_lossy(&refused.stderr);
        assert!(told.contains("another"), "{refused:?}");
    }
    let ledger = load.ledger.lock().unwrap();
    for address in &addresses {
        let lost = ledger.lost(*address);
        assert!(lost.is_empty(), "{lost:#?}");
    }
    // Nothing was left under the old key by whoever slept through its end.
    assert!(stop(replicas[0].take()).success());
    let address = replicas[0].start_with(next_alone.clone());
    let lost = ledger.lost(address);
    assert!(lost.is_empty(), "{lost:#?}");
    succeed(longshore(
        &["backup", "--verify", "--to", &place],
        &operator,
        &next_alone,
    ));
    succeed(longshore(&["scrub"], &operator, &next_alone));
    println!(
        "{} operations acknowledged, {} uploads resumed, 0 lost",
        ledger.operations(),
        ledger.resumed
    );
    for mut replica in replicas {
        assert!(stop(replica.take()).success());
    }
    stores.assert_files_match_rows();
}

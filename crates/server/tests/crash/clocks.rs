//! Replicas on one PostgreSQL whose machines' clocks are an hour ahead, an hour behind, or jump while they serve.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use serde_json::{Value, json};

use crate::{
    REPOSITORY, api,
    ledger::password,
    load::Load,
    replicas::{Replica, three},
    stop,
    stores::Stores,
    until,
};

/// What a server says whose machine's clock is off.
const TOLD: &str = "this machine's clock is not the database's";
/// What it says when that has ended.
const RIGHT: &str = "this machine's clock is right again";
/// Where the clock goes that jumps, longer than every promise, both ways; and what the server says of it.
const JUMPS: [(&str, &str); 4] = [
    ("+50h", TOLD),
    ("-50h", TOLD),
    ("+400d", TOLD),
    ("+0", RIGHT),
];

/// libfaketime, which sets a process's clock, of this machine's kind: Debian's, or others'.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().flatten();
    folders
        .filter(|folder| {
            folder
                .file_name()
                .to_string_lossy()
                .starts_with(env::consts::ARCH)
        })
        .map(|folder| folder.path())
        .chain(["/usr/lib", "/usr/lib64"].map(PathBuf::from))
        .map(|folder| folder.join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.exists())
        .expect("libfaketime is not installed: `cargo xtask install` does it")
}

/// The variables by which a process's clock is as far off as the file says.
fn clock(file: &Path, offset: &str) -> Vec<(&'static str, String)> {
    fs::write(file, offset).unwrap();
    vec![
        ("LD_PRELOAD", library().display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        // A clock that is set does not change how time passes.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
}

fn log(replica: &Replica) -> String {
    fs::read_to_string(replica.data.with_extension("log")).unwrap()
}

/// Runs `longshore gc` on a machine whose clock is off.
fn gc(data: &Path, stores: &Stores, offset: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_longshore"))
        .args(["gc", "--json", "--data-dir"])
        .arg(data)
        .envs(stores.environment())
        .envs(clock(&data.with_extension("clock"), offset))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn whatever_the_clocks_of_replicas_say_nothing_acknowledged_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let stores = Stores::shared_files(&directory.path().join("shared"));
    let mut replicas = three(directory.path());
    let files = ["ahead", "behind", "jumps"].map(|name| directory.path().join(name));
    let start = |replica: &mut Replica, file: &Path, offset| {
        let mut environment = stores.environment();
        environment.extend(clock(file, offset));
        replica.start_with(environment)
    };
    let mut addresses = Vec::new();
    for ((replica, file), offset) in replicas.iter_mut().zip(&files).zip(["+1h", "-1h", "+0"]) {
        addresses.push(start(replica, file, offset));
    }
    // Whose clock is right takes signatures; the passwords that it gives are good at all.
    let right: SocketAddr = addresses[2];
    let create = json!({"repositoryName": REPOSITORY}).to_string();
    assert_eq!(
        api::call(right, "CreateRepository", &create)
            .unwrap()
            .status,
        200
    );
    let password = password(right).unwrap();
    for wrong in &addresses[..2] {
        let refused = api::call(*wrong, "DescribeRepositories", "{}").unwrap();
        assert!(refused.text().contains("Signature"), "{}", refused.text());
    }

    let load = Arc::new(Load::with_password(addresses.clone(), &password));
    let workers = load.start();
    load.until_more(40);
    for (jump, says) in JUMPS {
        let before = log(&replicas[2]).len();
        fs::write(&files[2], jump).unwrap();
        load.until_more(20);
        until("it is told", || log(&replicas[2])[before..].contains(says));
        // The sweepers of a server wake every ten seconds; the command asks nobody.
        let told = gc(&directory.path().join("operator"), &stores, jump);
        for what in ["uploads", "links", "blobs", "files"] {
            assert_eq!(told[what], 0, "{jump}: {told}");
        }
        assert_eq!(told.get("pausedUntil"), None, "{jump}: {told}");
    }
    load.end(workers);

    let ledger = load.ledger.lock().unwrap();
    for address in &addresses {
        let lost = ledger.lost_to(&password, *address);
        assert!(lost.is_empty(), "{lost:#?}");
    }
    println!("{} operations acknowledged, 0 lost", ledger.operations());
    for mut replica in replicas {
        assert!(stop(replica.take()).success());
        assert!(log(&replica).contains(TOLD));
    }
    stores.assert_files_match_rows();
}

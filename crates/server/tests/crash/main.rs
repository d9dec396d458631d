//! `kill -9` of the real server under load: whatever was acknowledged is there afterwards, byte for byte.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod api;
mod http;
mod ledger;
mod load;
mod multipart;
mod server;

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, ExitStatus},
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use longshore_testbed::s3::{self, S3Server};
use serde_json::json;

use crate::{
    load::{Dice, Load},
    server::Server,
};

const WORKERS: usize = 4;
const KILLS: usize = 14;
const REPOSITORY: &str = "crash/repository";

/// Starts the server; now and then it is killed while it starts.
fn start(data: &Path, dice: &mut Dice, kills: &mut usize) -> (Server, std::net::SocketAddr) {
    while dice.roll(3) == 0 {
        let server = Server::spawn(data);
        thread::sleep(Duration::from_millis(dice.roll(120)));
        kill(server);
        *kills += 1;
    }
    let mut server = Server::spawn(data);
    let address = server.until_ready(data);
    (server, address)
}

/// `kill -9`.
fn kill(mut server: Server) {
    server.0.kill().unwrap();
    server.0.wait().unwrap();
}

/// `kill`, and waits for the end.
fn stop(mut server: Server) -> ExitStatus {
    let id = server.0.id().to_string();
    assert!(Command::new("kill").arg(id).status().unwrap().success());
    server.0.wait().unwrap()
}

#[test]
fn whatever_was_acknowledged_survives_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let (mut dice, mut kills) = (Dice::new(2026), 0);
    let (mut server, address) = start(&data, &mut dice, &mut kills);
    let create = json!({"repositoryName": REPOSITORY}).to_string();
    let created = api::call(address, "CreateRepository", &create);
    assert_eq!(created.unwrap().status, 200);

    let load = Arc::new(Load::new(address));
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let load = Arc::clone(&load);
            thread::spawn(move || load::work(&load, worker))
        })
        .collect();
    let began = Instant::now();
    while kills < KILLS || (began.elapsed() < Duration::from_secs(12) && kills < 2 * KILLS) {
        thread::sleep(Duration::from_millis(100 + dice.roll(1400)));
        kill(server);
        kills += 1;
        let (next, address) = start(&data, &mut dice, &mut kills);
        server = next;
        load.moved_to(address);
        assert!(
            began.elapsed() < Duration::from_mins(2),
            "starts take too long"
        );
    }
    load.over.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.join().unwrap();
    }
    kill(server);

    let mut server = Server::spawn(&data);
    let address = server.until_ready(&data);
    let ledger = load.ledger.lock().unwrap();
    let lost = ledger.lost(address);
    println!(
        "{} operations acknowledged, {kills} kills, {} uploads resumed, {} lost",
        ledger.operations(),
        ledger.resumed,
        lost.len()
    );
    assert!(lost.is_empty(), "{lost:#?}");
    assert!(
        ledger.operations() > 100,
        "too little was done: {}",
        ledger.operations()
    );
    assert!(ledger.resumed > 0, "no upload was under way at any kill");
    assert!(stop(server).success());
    assert_files_match_rows(&data);
}

/// No file without a row, no segment without its file, and a database that is sound.
fn assert_files_match_rows(data: &Path) {
    let rows = rusqlite::Connection::open(data.join("metadata.sqlite")).unwrap();
    let ids = |sql: &str| -> BTreeSet<String> {
        let mut statement = rows.prepare(sql).unwrap();
        let ids = statement
            .query_map([], |row| row.get::<_, [u8; 16]>(0))
            .unwrap();
        ids.map(|id| uuid::Uuid::from_bytes(id.unwrap()).to_string())
            .collect()
    };
    let segments = ids("SELECT physical FROM segment");
    let doomed = ids("SELECT physical FROM doomed");
    let files = if s3::is_chosen() {
        objects(S3Server::shared(), server::PREFIX)
    } else {
        files(&data.join("blobs"))
    };
    let lost: Vec<_> = segments.difference(&files).collect();
    assert!(lost.is_empty(), "segments without a file: {lost:?}");
    let known: BTreeSet<_> = segments.union(&doomed).cloned().collect();
    let leaked: Vec<_> = files.difference(&known).collect();
    assert!(leaked.is_empty(), "files without a row: {leaked:?}");
    assert!(!segments.is_empty());
    println!(
        "{} segments, {} doomed, {} files",
        segments.len(),
        doomed.len(),
        files.len()
    );

    let sound = rows.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    assert_eq!(sound.unwrap(), "ok");
    let broken = rows.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| {
        row.get(0)
    });
    assert_eq!(broken, Ok(0));
}

fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("keys") {
            continue;
        } else if path.is_dir() {
            found.append(&mut files(&path));
        } else if !path.ends_with("store-id") {
            found.insert(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

/// The names of segments under a prefix of a bucket.
fn objects(server: &S3Server, prefix: &str) -> BTreeSet<String> {
    let (objects, _) = server.names(prefix);
    let objects = objects.iter().filter(|name| !name.contains("/keys/"));
    let names = objects.filter_map(|name| name.rsplit('/').next());
    let segments = names.filter(|name| *name != "store-id");
    segments.map(str::to_owned).collect()
}

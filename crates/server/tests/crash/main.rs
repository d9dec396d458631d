//! `kill -9` of the real server under load: whatever was acknowledged is there afterwards, byte for byte.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod api;
mod clocks;
mod http;
mod ledger;
mod load;
mod multipart;
mod replicas;
mod server;
mod sleep;
mod stores;

use std::{
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    http::PATIENCE,
    load::{Dice, Load},
    server::Server,
    stores::Stores,
};

const WORKERS: usize = 4;
const KILLS: usize = 14;
const REPOSITORY: &str = "crash/repository";

/// Starts the server; now and then it is killed while it starts.
fn start(data: &Path, stores: &Stores, dice: &mut Dice, kills: &mut usize) -> (Server, SocketAddr) {
    while dice.roll(3) == 0 {
        let server = Server::spawn_with(data, stores.environment());
        thread::sleep(Duration::from_millis(dice.roll(120)));
        kill(server);
        *kills += 1;
    }
    let mut server = Server::spawn_with(data, stores.environment());
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
    signal(&server.0, "TERM");
    server.0.wait().unwrap()
}

/// Waits for a state of the servers, for some minutes.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn signal(process: &Child, signal: &str) {
    let id = process.id().to_string();
    let sent = Command::new("kill").args(["-s", signal, &id]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn whatever_was_acknowledged_survives_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let stores = Stores::chosen(&data);
    let (mut dice, mut kills) = (Dice::new(2026), 0);
    let (mut server, address) = start(&data, &stores, &mut dice, &mut kills);
    let create = json!({"repositoryName": REPOSITORY}).to_string();
    let created = api::call(address, "CreateRepository", &create);
    assert_eq!(created.unwrap().status, 200);

    let load = Arc::new(Load::new(vec![address]));
    let workers = load.start();
    let began = Instant::now();
    while kills < KILLS || (began.elapsed() < Duration::from_secs(12) && kills < 2 * KILLS) {
        thread::sleep(Duration::from_millis(100 + dice.roll(1400)));
        kill(server);
        kills += 1;
        let (next, address) = start(&data, &stores, &mut dice, &mut kills);
        server = next;
        load.moved_to(0, address);
        assert!(
            began.elapsed() < Duration::from_mins(2),
            "starts take too long"
        );
    }
    load.end(workers);
    kill(server);

    let mut server = Server::spawn_with(&data, stores.environment());
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
    stores.assert_files_match_rows();
}

//! Three servers on PostgreSQL and S3 that come and go under load: killed, stopped, and asleep for longer than clients wait.
//! Clients go on at whichever answers.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    REPOSITORY, api, kill,
    load::{Dice, Load},
    server::Server,
    signal, stop,
    stores::Stores,
};

/// How often each thing happens.
const ROUNDS: usize = 4;
/// Longer than a client waits for an answer.
const SLEEP: Duration = Duration::from_secs(7);

pub(crate) struct Replica {
    pub(crate) data: PathBuf,
    pub(crate) server: Option<Server>,
}

impl Replica {
    fn start(&mut self, stores: &Stores) -> SocketAddr {
        self.start_with(stores.environment())
    }

    /// Starts it with these variables.
    pub(crate) fn start_with(&mut self, environment: Vec<(&'static str, String)>) -> SocketAddr {
        let mut server = Server::spawn_with(&self.data, environment);
        let address = server.until_ready(&self.data);
        self.server = Some(server);
        address
    }

    pub(crate) fn take(&mut self) -> Server {
        self.server.take().unwrap()
    }
}

pub(crate) fn three(directory: &Path) -> Vec<Replica> {
    let replica = |idx| Replica {
        data: directory.join(format!("replica-{idx}")),
        server: None,
    };
    (0..3).map(replica).collect()
}

#[test]
fn whatever_was_acknowledged_survives_the_end_or_the_sleep_of_any_replica() {
    let directory = tempfile::tempdir().unwrap();
    let stores = Stores::shared(&directory.path().join("shared"));
    let mut replicas = three(directory.path());
    let start = |replica: &mut Replica| replica.start(&stores);
    let addresses: Vec<SocketAddr> = replicas.iter_mut().map(start).collect();
    let create = json!({"repositoryName": REPOSITORY}).to_string();
    let created = api::call(addresses[0], "CreateRepository", &create);
    assert_eq!(created.unwrap().status, 200);

    let load = Arc::new(Load::new(addresses));
    let workers = load.start();
    let mut dice = Dice::new(2026);
    let began = Instant::now();
    for round in 0..3 * ROUNDS {
        thread::sleep(Duration::from_millis(200 + dice.roll(800)));
        let idx = usize::try_from(dice.roll(3)).unwrap();
        let replica = &mut replicas[idx];
        match round % 3 {
            0 => kill(replica.take()),
            1 => assert!(stop(replica.take()).success()),
            _ => {
                let server = &replica.server.as_ref().unwrap().0;
                signal(server, "STOP");
                thread::sleep(SLEEP);
                signal(server, "CONT");
                continue;
            }
        }
        // The others go on without it for a while.
        thread::sleep(Duration::from_millis(dice.roll(1000)));
        load.moved_to(idx, replica.start(&stores));
    }
    load.end(workers);

    let ledger = load.ledger.lock().unwrap();
    let addresses = load.addresses();
    for address in &addresses {
        let lost = ledger.lost(*address);
        assert!(lost.is_empty(), "{lost:#?}");
    }
    println!(
        "{} operations acknowledged by three servers in {:?}, {} uploads resumed, 0 lost; each of three ends {ROUNDS} times",
        ledger.operations(),
        began.elapsed(),
        ledger.resumed,
    );
    assert!(ledger.operations() > 100, "too little was done");
    assert!(ledger.resumed > 0, "no upload went on anywhere");
    for mut replica in replicas {
        assert!(stop(replica.take()).success());
    }
    stores.assert_files_match_rows();
}

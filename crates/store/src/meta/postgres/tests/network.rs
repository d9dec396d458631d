//! What becomes of writes when the network or the server fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use longshore_testbed::postgres::{Database, Server};
use rustls::RootCertStore;

use super::super::Options;
use super::proxy::{Mode, Proxy};
use crate::meta::suite::{self, ids, insert};
use crate::meta::{Durability, Error, Metadata, Result};

/// A store behind a network that can fail.
struct Behind {
    store: Metadata,
    proxy: Proxy,
    database: Database,
}

impl Behind {
    fn open() -> Self {
        Self::watched(Duration::from_millis(20))
    }

    /// Opens a store that looks after the server so often.
    fn watched(every: Duration) -> Self {
        let database = Database::empty();
        let proxy = Proxy::to(database.server().socket());
        let name = database.url().rsplit('/').next().unwrap().to_owned();
        let url = format!("postgres://longshore@{}/{name}", proxy.address);
        let mut options = Options::url(&url, RootCertStore::empty(), suite::SCHEMA).unwrap();
        (options.readers, options.writers) = (1, 4);
        options.watch_every = every;
        options.decide_within = Duration::from_millis(500);
        options.statement_timeout = Duration::from_secs(2);
        let store = Metadata::postgres(options).unwrap();
        Self {
            store,
            proxy,
            database,
        }
    }

    /// Inserts a note; returns what came of it and how often the closure ran.
    async fn insert(&self, id: i64) -> (Result<u64>, u32) {
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let written = self.store.write(Durability::Durable, move |tx| {
            counted.fetch_add(1, Ordering::SeqCst);
            tx.execute("INSERT INTO note (id, body) VALUES (?1, 'x')", &[id.into()])
        });
        (written.await, runs.load(Ordering::SeqCst))
    }

    async fn until_ready(&self) {
        while !self.store.is_ready() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The ids that the server has, asked for past the network.
    async fn kept(&self) -> Vec<i64> {
        let direct = Metadata::postgres(super::options(&self.database)).unwrap();
        ids(&direct).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_commit_is_found_out() {
    let t = Behind::open();
    t.proxy.set(Mode::LoseAnswer);
    let (written, runs) = t.insert(1).await;
    assert_eq!((written.unwrap(), runs), (1, 1));
    assert_eq!(ids(&t.store).await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_did_not_arrive_is_made_once_more() {
    let t = Behind::open();
    t.proxy.set(Mode::LoseCommit);
    let (written, runs) = t.insert(1).await;
    assert_eq!((written.unwrap(), runs), (1, 2));
    assert_eq!(ids(&t.store).await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_nobody_tells_is_unknown_and_nothing_runs_twice() {
    let t = Behind::open();
    t.proxy.set(Mode::LoseAnswerAndRefuse);
    let (written, runs) = t.insert(1).await;
    assert!(matches!(written, Err(Error::Unavailable)), "{written:?}");
    assert_eq!(runs, 1);
    assert_eq!(t.kept().await, [1]);
    t.proxy.set(Mode::Pass);
    t.until_ready().await;
    assert_eq!(ids(&t.store).await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_its_database_refuses_at_once_and_comes_back_by_itself() {
    let t = Behind::open();
    t.insert(1).await.0.unwrap();
    t.proxy.set(Mode::Refuse);
    let (written, _) = t.insert(2).await;
    assert!(matches!(written, Err(Error::Busy)), "{written:?}");
    assert!(!t.store.is_ready());
    let read = t
        .store
        .query::<_, Error>(|tx| tx.count("SELECT count(*) FROM note", &[]))
        .await;
    assert!(matches!(read, Err(Error::Busy)), "{read:?}");
    t.proxy.set(Mode::Pass);
    t.until_ready().await;
    t.insert(3).await.0.unwrap();
    assert_eq!(ids(&t.store).await, [1, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_network_changes_nothing() {
    let t = Behind::open();
    t.proxy.set(Mode::Slow(Duration::from_millis(15)));
    for id in 0..3 {
        t.insert(id).await.0.unwrap();
    }
    assert_eq!(ids(&t.store).await, [0, 1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_that_are_cut_are_not_noticed_by_anybody() {
    // Who looks after the server is not idle: cut twice, it would take the server for gone.
    let t = Behind::watched(Duration::from_hours(1));
    for id in 0..5 {
        t.insert(id).await.0.unwrap();
        assert_eq!(ids(&t.store).await.len(), usize::try_from(id).unwrap() + 1);
        let read = t
            .store
            .read::<_, Error>(|tx| tx.count("SELECT count(*) FROM note", &[]));
        assert_eq!(read.await.unwrap(), id + 1);
        t.proxy.cut();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_while_connections_are_cut_is_there_and_nothing_else() {
    let t = Arc::new(Behind::open());
    let tasks: Vec<_> = (0..8_i64)
        .map(|worker| {
            let t = Arc::clone(&t);
            tokio::spawn(async move {
                let mut outcomes = Vec::new();
                for turn in 0..60 {
                    let id = worker * 1000 + turn;
                    let (outcome, _) = t.insert(id).await;
                    if outcome.is_err() {
                        // The store says at once that it cannot.
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    outcomes.push((id, outcome));
                }
                outcomes
            })
        })
        .collect();
    let mut calm = (0..8)
        .map(|step| Duration::from_millis(15 + 40 * step))
        .cycle();
    while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
        tokio::time::sleep(calm.next().unwrap()).await;
        t.proxy.cut();
    }
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.extend(task.await.unwrap());
    }
    let kept = t.kept().await;
    let mut n_kept = 0;
    for (id, outcome) in outcomes {
        match outcome {
            Ok(_) => {
                assert!(kept.contains(&id), "{id} is lost");
                n_kept += 1;
            }
            Err(Error::Busy) => assert!(!kept.contains(&id), "{id} was refused and is there"),
            Err(Error::Unavailable) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(n_kept > 0);
    println!("{n_kept} of 480 kept, {} reruns", t.store.stats().reruns);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_is_given_up() {
    let t = Behind::open();
    let slow = t.store.write::<_, Error>(Durability::Durable, |tx| {
        tx.execute("INSERT INTO note (id, body) VALUES (1, 'x')", &[])?;
        tx.execute("SELECT pg_sleep(60)", &[])
    });
    assert!(matches!(slow.await, Err(Error::Busy)));
    assert_eq!(ids(&t.store).await, [0; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_keeps_what_was_acknowledged() {
    let mut server = Server::with("fsync=on\nsynchronous_commit=off\n");
    server.sql("postgres", "CREATE DATABASE kept TEMPLATE template0");
    let url = server.url("kept");
    let mut options = Options::url(&url, RootCertStore::empty(), suite::SCHEMA).unwrap();
    (options.readers, options.writers) = (1, 4);
    options.watch_every = Duration::from_millis(20);
    options.decide_within = Duration::from_millis(200);
    let store = Metadata::postgres(options).unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let tasks: Vec<_> = (0..4_i64)
            .map(|worker| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut kept = Vec::new();
                    for turn in 0.. {
                        let id = round * 1_000_000 + worker * 10_000 + turn;
                        match insert(&store, id, "x").await {
                            Ok(_) => kept.push(id),
                            Err(_) => break,
                        }
                    }
                    kept
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(150)).await;
        server = tokio::task::spawn_blocking(move || {
            server.kill();
            server.start();
            server
        })
        .await
        .unwrap();
        for task in tasks {
            acknowledged.extend(task.await.unwrap());
        }
        while !store.is_ready() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let kept = ids(&store).await;
        for id in &acknowledged {
            assert!(kept.contains(id), "{id} is lost");
        }
    }
    assert!(acknowledged.len() > 12, "{}", acknowledged.len());
}

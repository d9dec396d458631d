//! Time across runs of the program.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use longshore_types::time::Timestamp;

use super::{Options, SCHEMA};
use crate::meta::suite::insert;
use crate::meta::{Clock, Durability, Error, Metadata};

/// A clock that stands where it is put.
pub(super) struct Hands(AtomicI64);

impl Hands {
    pub(super) fn at(millis: i64) -> Self {
        Self(AtomicI64::new(millis))
    }
}

impl Clock for Hands {
    fn system_millis(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn open_at(path: &Path, millis: i64) -> (Arc<Hands>, Metadata) {
    let hands = Arc::new(Hands::at(millis));
    let mut options = Options::file(path, SCHEMA);
    options.clock = Arc::<Hands>::clone(&hands);
    (hands, Metadata::sqlite(options).unwrap())
}

#[tokio::test]
async fn time_goes_on_from_where_a_closed_store_stood() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    let (hands, store) = open_at(&path, 1_000_000);
    insert(&store, 1, "one").await.unwrap();
    hands.0.store(1_002_500, Ordering::Relaxed);
    let written = store
        .write::<_, Error>(Durability::Soft, |tx| {
            tx.execute("UPDATE note SET body = 'two'", &[])?;
            Ok(tx.now())
        })
        .await
        .unwrap();
    assert_eq!(written, Timestamp::from_millis(1_002_500));
    drop(store);

    let (_, store) = open_at(&path, 400_000);
    assert_eq!(store.now(), Timestamp::from_millis(1_002_500));
    assert_eq!(
        store.clock_jumped_at(),
        Some(Timestamp::from_millis(1_002_500))
    );
}

#[tokio::test]
async fn the_stored_time_is_never_behind_a_kept_row() {
    let dir = tempfile::tempdir().unwrap();
    let (hands, store) = open_at(&dir.path().join("metadata.db"), 1_000_000);
    for id in 0..50 {
        hands.0.fetch_add(130, Ordering::Relaxed);
        insert(&store, id, "x").await.unwrap();
        let highest = store
            .query::<_, Error>(|tx| tx.count("SELECT highest FROM clock", &[]))
            .await
            .unwrap();
        assert!(
            highest >= store.now().as_millis(),
            "{highest} < {}",
            store.now().as_millis()
        );
    }
}

#[tokio::test]
async fn the_clock_is_stored_once_a_second_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let (hands, store) = open_at(&dir.path().join("metadata.db"), 1_000_000);
    let mut stored = Vec::new();
    for id in 0..50 {
        hands.0.fetch_add(100, Ordering::Relaxed);
        insert(&store, id, "x").await.unwrap();
        stored.push(
            store
                .query::<_, Error>(|tx| tx.count("SELECT highest FROM clock", &[]))
                .await
                .unwrap(),
        );
    }
    stored.dedup();
    assert!(stored.len() <= 6, "{stored:?}");
}

#[tokio::test]
async fn what_another_process_kept_is_never_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    let (_, server) = open_at(&path, 1_000_000);
    insert(&server, 1, "one").await.unwrap();
    let (_, command) = open_at(&path, 2_000_000);
    insert(&command, 2, "two").await.unwrap();
    insert(&server, 3, "three").await.unwrap();
    drop(command);
    insert(&server, 4, "four").await.unwrap();
    drop(server);

    let (_, store) = open_at(&path, 400_000);
    assert!(
        store.now() >= Timestamp::from_millis(2_000_000),
        "{:?}",
        store.now()
    );
    let kept = store
        .query::<_, Error>(|tx| tx.count("SELECT count(*) FROM note", &[]))
        .await
        .unwrap();
    assert_eq!(kept, 4);
}

//! The end of a store, its log, and its bounds.

use std::sync::Arc;
use std::time::Duration;

use super::{Hold, Options, SCHEMA, open, spawn_insert};
use crate::meta::suite::{ids, insert};
use crate::meta::{Durability, Error, Metadata};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_finishes_the_queue_and_empties_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    let store = Metadata::sqlite(Options::file(&path, SCHEMA)).unwrap();
    let hold = Hold::start(&store).await;
    let writes: Vec<_> = (0..20)
        .map(|id| spawn_insert(&store, Durability::Soft, id))
        .collect();
    hold.release(&store, 20).await;
    drop(store);
    for write in writes {
        write.await.unwrap().unwrap();
    }
    // The last handle went with the last write; opening waits for no thread but must see all of it.
    let store = Metadata::sqlite(Options::file(&path, SCHEMA)).unwrap();
    assert_eq!(ids(&store).await.len(), 20);
    drop(store);
    let wal = std::fs::metadata(dir.path().join("metadata.db-wal"));
    assert!(wal.map_or(0, |wal| wal.len()) == 0);
}

#[tokio::test]
async fn the_last_handle_may_go_inside_a_closure() {
    let store = open();
    let mut inner = Some(store.clone());
    let (dropped, wait_dropped) = tokio::sync::oneshot::channel();
    let mut dropped = Some(dropped);
    tokio::spawn(async move {
        store
            .write::<_, Error>(Durability::Soft, move |_| {
                std::thread::sleep(Duration::from_millis(20));
                inner.take();
                dropped.take().map(|dropped| dropped.send(()));
                Ok(())
            })
            .await
    })
    .abort();
    // Either the write never started, and the sender is gone with it, or its closure came to its end.
    drop(wait_dropped.await);
}

#[test]
fn a_temporary_store_leaves_nothing_behind() {
    let store = open();
    let path = std::path::PathBuf::from(path_of(&store));
    assert!(path.exists());
    drop(store);
    assert!(!path.parent().unwrap().exists());
}

fn path_of(store: &Metadata) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let read = store.query::<_, Error>(|tx| tx.row("SELECT file FROM pragma_database_list", &[]));
    runtime.block_on(read).unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_at_once() {
    let mut options = Options::temporary(SCHEMA);
    options.queue = 2;
    let store = Metadata::sqlite(options).unwrap();
    let hold = Hold::start(&store).await;
    let waiting: Vec<_> = (1..=2)
        .map(|id| spawn_insert(&store, Durability::Soft, id))
        .collect();
    while store.stats().waiting_writes < 2 {
        tokio::task::yield_now().await;
    }
    let refused = insert(&store, 3, "x").await;
    assert!(matches!(refused, Err(Error::Overloaded)), "{refused:?}");
    hold.release(&store, 2).await;
    for write in waiting {
        write.await.unwrap().unwrap();
    }
    assert_eq!(ids(&store).await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_emptied_above_its_limit_while_others_read_and_write() {
    let mut options = Options::temporary(SCHEMA);
    options.checkpoint_every = Duration::from_millis(5);
    options.wal_limit = 256 << 10;
    let store = Metadata::sqlite(options).unwrap();
    insert(&store, 1, "one").await.unwrap();
    let body = Arc::new(vec![7_u8; 32 << 10]);
    let (mut highest, mut fell) = (0, false);
    for idx in 0..2_000_i64 {
        let body = Arc::clone(&body);
        let write = store.write::<_, Error>(Durability::Soft, move |tx| {
            tx.execute("DELETE FROM reply", &[])?;
            tx.execute(
                "INSERT INTO reply (note, idx, data) VALUES (1, ?1, ?2)",
                &[idx.into(), (&*body).into()],
            )
        });
        let read = store.query::<_, Error>(|tx| tx.count("SELECT count(*) FROM reply", &[]));
        let (written, count) = tokio::join!(write, read);
        written.unwrap();
        assert!(count.unwrap() <= 1);
        let bytes = store.stats().wal_bytes;
        fell |= bytes < highest;
        highest = highest.max(bytes);
        if fell {
            return;
        }
    }
    panic!("the log grew to {highest} bytes and never shrank");
}

//! Commits of either class.

use std::sync::Arc;
use std::time::Duration;

use super::clock::Hands;
use super::{Hold, Options, SCHEMA, open, spawn_insert};
use crate::meta::suite::insert;
use crate::meta::{Durability, Error, Metadata};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_jobs_share_one_commit() {
    let store = open();
    let hold = Hold::start(&store).await;
    let before = store.stats();
    let writes: Vec<_> = (0..40)
        .map(|id| {
            spawn_insert(
                &store,
                if id == 7 {
                    Durability::Durable
                } else {
                    Durability::Soft
                },
                id,
            )
        })
        .collect();
    hold.release(&store, 40).await;
    for write in writes {
        write.await.unwrap().unwrap();
    }
    let after = store.stats();
    assert_eq!(after.durable_commits - before.durable_commits, 1);
    assert_eq!(after.soft_commits, before.soft_commits);
}

#[tokio::test]
async fn a_durable_job_that_changes_nothing_still_syncs_the_soft_ones_before_it() {
    let mut options = Options::temporary(SCHEMA);
    options.checkpoint_every = Duration::from_mins(10);
    // The stored time, which is written once a second, must not explain a longer log.
    options.clock = Arc::new(Hands::at(1_000_000));
    let store = Metadata::sqlite(options).unwrap();
    let look = "SELECT id FROM note";
    let same = "UPDATE note SET body = 'two' WHERE id = 1 RETURNING id";
    insert(&store, 1, "one").await.unwrap();
    for sql in [look, same] {
        run(
            &store,
            Durability::Soft,
            "UPDATE note SET body = 'two' WHERE id = 1 RETURNING id",
        )
        .await;
        let unsynced = store.stats().wal_bytes;
        run(&store, Durability::Durable, sql).await;
        // A commit syncs the log when it appends to it, and only then.
        let synced = store.stats().wal_bytes;
        assert!(synced > unsynced, "{sql}");
        run(&store, Durability::Durable, sql).await;
        assert_eq!(store.stats().wal_bytes, synced, "{sql}");
    }
}

async fn run(store: &Metadata, durability: Durability, sql: &'static str) {
    let row = store
        .write::<Option<i64>, Error>(durability, move |tx| tx.row(sql, &[]))
        .await;
    assert_eq!(row.unwrap(), Some(1));
}

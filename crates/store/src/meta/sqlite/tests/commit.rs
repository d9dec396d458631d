//! Commits of either class.

use super::{Hold, open, spawn_insert};
use crate::meta::suite::insert;
use crate::meta::{Durability, Error};

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
    let store = open();
    let look = || {
        store.write::<_, Error>(Durability::Durable, |tx| {
            tx.count("SELECT count(*) FROM note", &[])
        })
    };
    insert(&store, 1, "one").await.unwrap();
    let before = store.stats().durable_commits;
    look().await.unwrap();
    assert_eq!(
        store.stats().durable_commits,
        before,
        "nothing was unsynced"
    );
    store
        .write::<_, Error>(Durability::Soft, |tx| {
            tx.execute("UPDATE note SET body = 'two'", &[])
        })
        .await
        .unwrap();
    look().await.unwrap();
    assert_eq!(store.stats().durable_commits, before + 1);
    look().await.unwrap();
    assert_eq!(store.stats().durable_commits, before + 1);
}

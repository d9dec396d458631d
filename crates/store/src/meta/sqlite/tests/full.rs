//! A full store, by SQLite's own hand: it rolls the whole batch back.

use super::{Hold, Options, SCHEMA, spawn_insert};
use crate::meta::suite::{ids, insert};
use crate::meta::{Durability, Error, Metadata};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_fills_the_store_fails_alone_and_its_batch_is_replayed() {
    let mut options = Options::temporary(SCHEMA);
    options.max_pages = Some(40);
    let store = Metadata::sqlite(options).unwrap();
    insert(&store, 1_000, "one").await.unwrap();

    let hold = Hold::start(&store).await;
    let before: Vec<_> = (0..5)
        .map(|id| spawn_insert(&store, Durability::Durable, id))
        .collect();
    while store.stats().waiting_writes < 5 {
        tokio::task::yield_now().await;
    }
    let filling = tokio::spawn(fill(store.clone()));
    while store.stats().waiting_writes < 6 {
        tokio::task::yield_now().await;
    }
    let after: Vec<_> = (5..10)
        .map(|id| spawn_insert(&store, Durability::Durable, id))
        .collect();
    hold.release(&store, 11).await;

    let filled = filling.await.unwrap();
    assert!(matches!(filled, Err(Error::Full)), "{filled:?}");
    for write in before.into_iter().chain(after) {
        write.await.unwrap().unwrap();
    }
    assert_eq!(store.stats().replayed_batches, 1);
    assert_eq!(store.stats().recoveries, 0);
    assert_eq!(ids(&store).await, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1_000]);
}

/// Writes more than fits, and goes on after the failure as no closure should.
async fn fill(store: Metadata) -> Result<(), Error> {
    store
        .write(Durability::Durable, |tx| {
            tx.execute("INSERT INTO note (id, body) VALUES (500, 'x')", &[])?;
            let blob = vec![1_u8; 400 << 10];
            let args = [(&blob).into()];
            tx.execute(
                "INSERT INTO reply (note, idx, data) VALUES (1000, 9, ?1)",
                &args,
            )
            .unwrap_err();
            // SQLite has left the transaction by now: this row would commit by itself.
            tx.execute("INSERT INTO note (id, body) VALUES (501, 'x')", &[])
                .unwrap_err();
            Ok(())
        })
        .await
}

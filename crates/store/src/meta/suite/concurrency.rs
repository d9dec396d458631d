//! What closures may expect when others run beside them.

use std::sync::mpsc;

use super::{ids, insert};
use crate::meta::{Durability, Error, Metadata};

pub(crate) async fn concurrent_increments_are_not_lost(store: Metadata) {
    insert(&store, 1, "0").await.unwrap();
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .write::<_, Error>(Durability::Durable, |tx| {
                        let body: Option<String> =
                            tx.row("SELECT body FROM note WHERE id = 1 /*for update*/", &[])?;
                        let next = body.unwrap().parse::<u32>().unwrap() + 1;
                        tx.execute(
                            "UPDATE note SET body = ?1 WHERE id = 1",
                            &[(&next.to_string()).into()],
                        )
                    })
                    .await
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), 1);
    }
    let body: Option<String> = store
        .query::<_, Error>(|tx| tx.row("SELECT body FROM note", &[]))
        .await
        .unwrap();
    assert_eq!(body.as_deref(), Some("200"));
}

pub(crate) async fn failing_jobs_leave_their_neighbours(store: Metadata) {
    let tasks: Vec<_> = (0..120_i64)
        .map(|id| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .write::<_, Error>(Durability::Durable, move |tx| {
                        tx.execute("INSERT INTO note (id, body) VALUES (?1, 'x')", &[id.into()])?;
                        let body = if id % 3 == 0 { "forbidden" } else { "y" };
                        tx.execute(
                            "UPDATE note SET body = ?2 WHERE id = ?1",
                            &[id.into(), body.into()],
                        )
                    })
                    .await
            })
        })
        .collect();
    for (id, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap().is_err(), id % 3 == 0, "{id}");
    }
    let kept: Vec<i64> = (0..120).filter(|id| id % 3 != 0).collect();
    assert_eq!(ids(&store).await, kept);
}

pub(crate) async fn a_read_sees_one_snapshot(store: Metadata) {
    insert(&store, 1, "one").await.unwrap();
    let (looked, wait_looked) = tokio::sync::oneshot::channel();
    let (written, wait_written) = mpsc::channel::<()>();
    let reading = tokio::spawn({
        let store = store.clone();
        async move {
            store
                .read::<_, Error>(move |tx| {
                    let before = tx.count("SELECT count(*) FROM note", &[])?;
                    looked.send(()).unwrap();
                    wait_written.recv().unwrap();
                    Ok((before, tx.count("SELECT count(*) FROM note", &[])?))
                })
                .await
        }
    });
    wait_looked.await.unwrap();
    insert(&store, 2, "two").await.unwrap();
    assert_eq!(ids(&store).await, [1, 2]);
    written.send(()).unwrap();
    assert_eq!(reading.await.unwrap().unwrap(), (1, 1));
}

pub(crate) async fn an_acknowledged_write_is_seen_by_the_next_read(store: Metadata) {
    for id in 0..50 {
        insert(&store, id, "x").await.unwrap();
        assert_eq!(ids(&store).await.last(), Some(&id));
    }
}

pub(crate) async fn soft_and_durable_writes_mix(store: Metadata) {
    let tasks: Vec<_> = (0..100_i64)
        .map(|id| {
            let store = store.clone();
            let durability = if id % 2 == 0 {
                Durability::Soft
            } else {
                Durability::Durable
            };
            tokio::spawn(async move {
                store
                    .write::<_, Error>(durability, move |tx| {
                        tx.execute("INSERT INTO note (id, body) VALUES (?1, 'x')", &[id.into()])
                    })
                    .await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(ids(&store).await.len(), 100);
}

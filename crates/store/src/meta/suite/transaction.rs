//! What a closure may expect of its transaction.

use super::{ids, insert};
use crate::meta::{Constraint, Durability, Error, Metadata};

pub(crate) async fn a_write_is_read_back(store: Metadata) {
    assert_eq!(insert(&store, 1, "one").await.unwrap(), 1);
    let row: Option<(i64, String)> = store
        .read::<_, Error>(|tx| tx.row("SELECT id, body FROM note WHERE id = ?1", &[1.into()]))
        .await
        .unwrap();
    assert_eq!(row, Some((1, "one".to_owned())));
    let none: Option<i64> = store
        .query::<_, Error>(|tx| tx.row("SELECT id FROM note WHERE id = ?1", &[2.into()]))
        .await
        .unwrap();
    assert_eq!(none, None);
}

#[derive(Debug)]
enum Refusal {
    Mine,
    Store,
}

impl From<Error> for Refusal {
    fn from(_: Error) -> Self {
        Self::Store
    }
}

pub(crate) async fn an_error_undoes_the_closure(store: Metadata) {
    let refused = store
        .write::<(), _>(Durability::Durable, |tx| {
            tx.execute("INSERT INTO note (id, body) VALUES (1, 'one')", &[])?;
            Err(Refusal::Mine)
        })
        .await;
    assert!(matches!(refused, Err(Refusal::Mine)), "{refused:?}");
    assert_eq!(ids(&store).await, [0; 0]);
}

pub(crate) async fn a_swallowed_failure_undoes_the_closure(store: Metadata) {
    insert(&store, 1, "one").await.unwrap();
    let outcome = store
        .write::<_, Error>(Durability::Durable, |tx| {
            tx.execute("INSERT INTO note (id, body) VALUES (2, 'two')", &[])?;
            Ok(tx
                .execute("INSERT INTO note (id, body) VALUES (1, 'again')", &[])
                .is_ok())
        })
        .await;
    assert!(
        matches!(outcome, Err(Error::Constraint(Constraint::Unique))),
        "{outcome:?}"
    );
    assert_eq!(ids(&store).await, [1]);
}

pub(crate) async fn no_statement_runs_after_a_failed_one(store: Metadata) {
    insert(&store, 1, "one").await.unwrap();
    let outcome = store
        .write::<(), Error>(Durability::Durable, |tx| {
            tx.execute("INSERT INTO note (id, body) VALUES (1, 'again')", &[])
                .unwrap_err();
            let later = tx.execute("INSERT INTO note (id, body) VALUES (2, 'two')", &[]);
            assert!(
                matches!(later, Err(Error::Constraint(Constraint::Unique))),
                "{later:?}"
            );
            Ok(())
        })
        .await;
    assert!(matches!(outcome, Err(Error::Constraint(_))), "{outcome:?}");
    assert_eq!(ids(&store).await, [1]);
}

pub(crate) async fn a_panic_is_an_error_and_the_store_goes_on(store: Metadata) {
    let write = store
        .write::<(), Error>(Durability::Durable, |tx| {
            tx.execute("INSERT INTO note (id, body) VALUES (1, 'one')", &[])?;
            panic!("on purpose")
        })
        .await;
    assert!(matches!(write, Err(Error::Panicked)), "{write:?}");
    for _ in 0..8 {
        let read = store.read::<(), Error>(|_| panic!("on purpose")).await;
        assert!(matches!(read, Err(Error::Panicked)), "{read:?}");
    }
    insert(&store, 2, "two").await.unwrap();
    assert_eq!(ids(&store).await, [2]);
}

pub(crate) async fn a_read_cannot_write(store: Metadata) {
    let sql = "INSERT INTO note (id, body) VALUES (1, 'one')";
    store
        .read::<_, Error>(move |tx| tx.execute(sql, &[]))
        .await
        .unwrap_err();
    store
        .query::<_, Error>(move |tx| tx.execute(sql, &[]))
        .await
        .unwrap_err();
    assert_eq!(ids(&store).await, [0; 0]);
}

pub(crate) async fn a_query_is_one_statement(store: Metadata) {
    let twice = store
        .query::<_, Error>(|tx| {
            tx.count("SELECT count(*) FROM note", &[])?;
            tx.count("SELECT count(*) FROM note", &[])
        })
        .await;
    assert!(matches!(twice, Err(Error::Engine(_))), "{twice:?}");
}

pub(crate) async fn a_query_costs_one_statement_and_one_hop(store: Metadata) {
    insert(&store, 1, "one").await.unwrap();
    let before = store.counters();
    ids(&store).await;
    let after = store.counters();
    assert_eq!(after.statements - before.statements, 1);
    assert_eq!(after.hops - before.hops, 1);
}

pub(crate) async fn a_transaction_has_one_time(store: Metadata) {
    let before = store.now();
    let (first, second) = store
        .write::<_, Error>(Durability::Soft, |tx| Ok((tx.now(), tx.now())))
        .await
        .unwrap();
    assert_eq!(first, second);
    assert!(before <= first && first <= store.now());
}

pub(crate) async fn a_deferred_constraint_fails_its_own_job_only(store: Metadata) {
    let good = insert(&store, 1, "one");
    let bad = store.write::<_, Error>(Durability::Durable, |tx| {
        tx.execute("INSERT INTO note (id, body) VALUES (2, 'two')", &[])?;
        tx.execute("INSERT INTO late (note) VALUES (99)", &[])
    });
    let (good, bad) = tokio::join!(good, bad);
    good.unwrap();
    assert!(
        matches!(bad, Err(Error::Constraint(Constraint::ForeignKey))),
        "{bad:?}"
    );
    assert_eq!(ids(&store).await, [1]);
}

//! Several programs on one database: their schemas, their clocks, their locks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use longshore_testbed::postgres::Database;

use super::options;
use crate::meta::suite::{SCHEMA, ids, insert};
use crate::meta::{Clock, Durability, Error, Metadata, Migration};

struct Hands(AtomicI64);

impl Clock for Hands {
    fn system_millis(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// The schema of the suite and one step more.
const fn next(min_reader: i64) -> [Migration; 2] {
    [
        SCHEMA[0],
        Migration {
            version: 2,
            min_reader,
            sql: "ALTER TABLE note ADD COLUMN more {{TEXT}} NOT NULL DEFAULT ''",
        },
    ]
}

const ROLLING: &[Migration] = &next(1);
const BREAKING: &[Migration] = &next(2);

fn with(database: &Database, migrations: &'static [Migration]) -> Metadata {
    let mut options = options(database);
    options.migrations = migrations;
    options.watch_every = Duration::from_millis(20);
    Metadata::postgres(options).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_that_start_at_once_make_the_schema_once() {
    let database = Database::empty();
    let starting: Vec<_> = (0..6)
        .map(|_| {
            let mut options = options(&database);
            options.migrations = ROLLING;
            tokio::task::spawn_blocking(move || Metadata::postgres(options).unwrap())
        })
        .collect();
    for (id, store) in (0..).zip(starting) {
        insert(&store.await.unwrap(), id, "x").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_program_goes_on_beside_a_newer_one_that_lets_it() {
    let database = Database::empty();
    let older = with(&database, SCHEMA);
    insert(&older, 1, "one").await.unwrap();
    assert_eq!(ids(&older).await, [1]);
    let newer = with(&database, ROLLING);
    insert(&older, 2, "two").await.unwrap();
    assert_eq!(ids(&newer).await, [1, 2]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(older.is_ready());
    assert_eq!(ids(&older).await, [1, 2]);
    drop(with(&database, SCHEMA));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_program_stops_when_a_newer_one_does_not_let_it() {
    let database = Database::empty();
    let older = with(&database, SCHEMA);
    insert(&older, 1, "one").await.unwrap();
    let newer = with(&database, BREAKING);
    while older.is_ready() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let refused = insert(&older, 2, "two").await;
    assert!(
        matches!(refused, Err(Error::TooNew { needs: 2, knows: 1 })),
        "{refused:?}"
    );
    let late = Metadata::postgres(options(&database));
    assert!(matches!(late, Err(Error::TooNew { .. })), "{late:?}");
    insert(&newer, 2, "two").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn time_is_the_databases_and_never_behind_what_is_kept() {
    let database = Database::empty();
    let clock = Arc::new(Hands(AtomicI64::new(1_000_000)));
    let open = || {
        let mut options = options(&database);
        options.clock = Some(clock.clone());
        Metadata::postgres(options).unwrap()
    };
    let at = |store: &Metadata| {
        let store = store.clone();
        async move {
            let now = store.write::<_, Error>(Durability::Soft, |tx| Ok(tx.now()));
            now.await.unwrap().as_millis()
        }
    };
    let (first, second) = (open(), open());
    clock.0.store(50_000_000, Ordering::SeqCst);
    assert_eq!(at(&first).await, 50_000_000);
    drop((first, second));
    // The clock goes back, and programs come and go: none is ever earlier, and none runs away.
    clock.0.store(40_000_000, Ordering::SeqCst);
    for _ in 0..5 {
        let store = open();
        let now = at(&store).await;
        assert!((50_000_000..=50_002_000).contains(&now), "{now}");
        assert!(store.clock_jumped_at().is_some());
    }
    let real = with(&Database::empty(), SCHEMA);
    let system = real.system_now().as_millis();
    assert!((real.now().as_millis() - system).abs() < 5_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_locks_hold_between_programs() {
    let database = Database::empty();
    let (a, b) = (with(&database, SCHEMA), with(&database, SCHEMA));
    insert(&a, 1, "0").await.unwrap();
    let add = |store: &Metadata| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                let add = store.write::<_, Error>(Durability::Soft, |tx| {
                    let body: Option<String> =
                        tx.row("SELECT body FROM note WHERE id = 1 /*for update*/", &[])?;
                    let next = body.unwrap().parse::<u32>().unwrap() + 1;
                    let next = next.to_string();
                    tx.execute("UPDATE note SET body = ?1 WHERE id = 1", &[(&next).into()])
                });
                add.await.unwrap();
            }
        })
    };
    for task in [add(&a), add(&b), add(&a), add(&b)] {
        task.await.unwrap();
    }
    let body: Option<String> = a
        .query::<_, Error>(|tx| tx.row("SELECT body FROM note", &[]))
        .await
        .unwrap();
    assert_eq!(body.as_deref(), Some("200"));
}

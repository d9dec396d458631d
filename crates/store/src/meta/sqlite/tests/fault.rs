//! I/O errors at every point, one after the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use super::{Hold, Options, SCHEMA, spawn_insert};
use crate::meta::suite::{ids, insert};
use crate::meta::{Durability, Error, Metadata};
use crate::meta::{Fault, Faults, Point};

/// Fails at one step after the other.
#[derive(Default)]
struct Plan(Mutex<VecDeque<Step>>);

/// Passes `skip` points, then fails `times` of them; all points, or only those of one kind.
struct Step {
    only: Option<Point>,
    skip: usize,
    times: usize,
    fault: Fault,
}

impl Plan {
    fn set(&self, steps: impl IntoIterator<Item = Step>) {
        *self.0.lock().unwrap() = steps.into_iter().collect();
    }

    fn is_used_up(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

impl Faults for Plan {
    fn at(&self, point: Point) -> Option<Fault> {
        let mut steps = self.0.lock().unwrap();
        let step = steps
            .front_mut()
            .filter(|step| step.only.is_none_or(|only| only == point))?;
        if step.skip > 0 {
            step.skip -= 1;
            return None;
        }
        step.times -= 1;
        let (times, fault) = (step.times, step.fault);
        if times == 0 {
            steps.pop_front();
        }
        Some(fault)
    }
}

fn io_at(point: Point, times: usize) -> Step {
    Step {
        only: Some(point),
        skip: 0,
        times,
        fault: Fault::Io,
    }
}

fn open() -> (Arc<Plan>, Metadata) {
    let plan = Arc::new(Plan::default());
    let mut options = Options::temporary(SCHEMA);
    options.faults = Some(Arc::<Plan>::clone(&plan));
    options.checkpoint_every = Duration::from_millis(5);
    (plan, Metadata::sqlite(options).unwrap())
}

async fn until_ready(store: &Metadata) {
    while !store.is_ready() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Notes and replies are written in pairs; half a pair is a broken transaction.
async fn assert_whole(store: &Metadata, acknowledged: &[i64], refused: &[i64]) {
    let kept = ids(store).await;
    let replies: Vec<i64> = store
        .query::<_, Error>(|tx| tx.rows("SELECT note FROM reply ORDER BY note", &[]))
        .await
        .unwrap();
    assert_eq!(kept, replies);
    assert!(
        acknowledged.iter().all(|id| kept.contains(id)),
        "{acknowledged:?} not all in {kept:?}"
    );
    assert!(
        !refused.iter().any(|id| kept.contains(id)),
        "some of {refused:?} in {kept:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_at_any_point_loses_no_acknowledged_write_and_halves_none() {
    for fault in [Fault::Io, Fault::IoAndRollback] {
        for n in 0.. {
            let (plan, store) = open();
            let hold = Hold::start(&store).await;
            let writes: Vec<_> = (0..6)
                .map(|id| {
                    spawn_insert(
                        &store,
                        if id < 3 {
                            Durability::Durable
                        } else {
                            Durability::Soft
                        },
                        id,
                    )
                })
                .collect();
            while store.stats().waiting_writes < 6 {
                tokio::task::yield_now().await;
            }
            plan.set([Step {
                only: None,
                skip: n,
                times: 1,
                fault,
            }]);
            // The held job may be the one that the fault hits.
            let _ = hold.release.send(());
            drop(hold.job.await.unwrap());
            let (mut acknowledged, mut refused) = (Vec::new(), Vec::new());
            for (id, write) in (0..).zip(writes) {
                match write.await.unwrap() {
                    Ok(_) => acknowledged.push(id),
                    Err(Error::Unavailable) => {}
                    Err(_) => refused.push(id),
                }
            }
            until_ready(&store).await;
            let fired = plan.is_used_up();
            plan.set([]);
            assert_whole(&store, &acknowledged, &refused).await;
            insert(&store, 100, "the store goes on").await.unwrap();
            if !fired {
                assert_eq!(acknowledged.len(), 6);
                assert!(n > 15, "only {n} points were tried");
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_sqlite_rolled_back_is_replayed_and_all_of_it_kept() {
    let (plan, store) = open();
    let hold = Hold::start(&store).await;
    let writes: Vec<_> = (0..6)
        .map(|id| spawn_insert(&store, Durability::Durable, id))
        .collect();
    while store.stats().waiting_writes < 6 {
        tokio::task::yield_now().await;
    }
    plan.set([Step {
        only: Some(Point::Statement),
        skip: 7,
        times: 1,
        fault: Fault::IoAndRollback,
    }]);
    hold.release(&store, 6).await;
    for write in writes {
        write.await.unwrap().unwrap();
    }
    assert_eq!(store.stats().replayed_batches, 1);
    assert_whole(&store, &[0, 1, 2, 3, 4, 5], &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_commit_is_unknown_and_the_store_recovers() {
    for (point, kept) in [(Point::Commit, false), (Point::Committed, true)] {
        let (plan, store) = open();
        insert(&store, 1, "one").await.unwrap();
        plan.set([io_at(point, 1)]);
        let unknown = insert(&store, 2, "two").await;
        assert!(matches!(unknown, Err(Error::Unavailable)), "{unknown:?}");
        until_ready(&store).await;
        assert_eq!(store.stats().recoveries, 1);
        insert(&store, 3, "three").await.unwrap();
        assert_eq!(
            ids(&store).await,
            if kept { vec![1, 2, 3] } else { vec![1, 3] }
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_are_refused_and_reads_served_while_recovery_fails() {
    let (plan, store) = open();
    insert(&store, 1, "one").await.unwrap();
    plan.set([io_at(Point::Commit, 1), io_at(Point::Reopen, 3)]);
    insert(&store, 2, "two").await.unwrap_err();
    while !plan.is_used_up() {
        let refused = insert(&store, 3, "three").await;
        if !plan.is_used_up() {
            assert!(!store.is_ready());
            assert!(matches!(refused, Err(Error::Busy)), "{refused:?}");
            assert_eq!(ids(&store).await, [1]);
        }
    }
    until_ready(&store).await;
    insert(&store, 4, "four").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_checkpoint_shows_until_one_succeeds() {
    let (plan, store) = open();
    plan.set([io_at(Point::Checkpoint, 1)]);
    insert(&store, 1, "one").await.unwrap();
    while store.stats().failed_checkpoints == 0 {
        tokio::task::yield_now().await;
    }
    until_ready(&store).await;
    assert_eq!(ids(&store).await, [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_met_an_io_error_is_opened_again() {
    let (plan, store) = open();
    insert(&store, 1, "one").await.unwrap();
    for _ in 0..8 {
        plan.set([io_at(Point::Statement, 1)]);
        store
            .query::<_, Error>(|tx| tx.count("SELECT count(*) FROM note", &[]))
            .await
            .unwrap_err();
        assert_eq!(ids(&store).await, [1]);
    }
}

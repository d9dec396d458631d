//! A metadata engine that fails at step N: once, or from then on.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use longshore_store::meta::{Fault, Faults, Point};
use longshore_testbed::postgres;

use crate::{
    course::{Ledger, prepare, recover},
    world::{Disk, World},
};

const UNARMED: usize = usize::MAX;

/// Fails at step `at` and, if it lasts, at every later one until it is lifted.
struct Plan {
    at: AtomicUsize,
    steps: AtomicUsize,
    fault: Fault,
    lasts: bool,
}

impl Plan {
    fn new(fault: Fault, lasts: bool) -> Self {
        Self {
            at: AtomicUsize::new(UNARMED),
            steps: AtomicUsize::new(0),
            fault,
            lasts,
        }
    }

    fn arm(&self, at: usize) {
        self.steps.store(0, Ordering::SeqCst);
        self.at.store(at, Ordering::SeqCst);
    }

    fn lift(&self) -> bool {
        let at = self.at.swap(UNARMED, Ordering::SeqCst);
        self.steps.load(Ordering::SeqCst) > at
    }
}

impl Faults for Plan {
    fn at(&self, point: Point) -> Option<Fault> {
        // Checkpoints run apart, so a count of them would not be the same twice.
        if matches!(point, Point::Checkpoint | Point::Reopen) {
            return None;
        }
        let at = self.at.load(Ordering::SeqCst);
        let step = self.steps.fetch_add(1, Ordering::SeqCst);
        (step == at || (self.lasts && step > at && at != UNARMED)).then_some(self.fault)
    }
}

/// Runs the course with a failure at step `first`, `first` + `stride`, … until one meets no failure.
async fn each_step(fault: Fault, lasts: bool, first: usize, stride: usize) {
    // Each course has a database of its own, which takes longer than a file: fewer of the steps.
    let stride = if postgres::is_chosen() {
        7 * stride
    } else {
        stride
    };
    for at in (first..).step_by(stride) {
        let disk = Disk::new();
        prepare(&disk).await;
        let plan = Arc::new(Plan::new(fault, lasts));
        let world = World::over(disk.failing(Some(plan.clone())), disk.store()).await;
        plan.arm(at);
        let mut ledger = Ledger::default();
        let failed = ledger.run(&disk, &world).await.err();
        let met = plan.lift();
        drop(world);
        recover(&disk, &ledger, failed.as_ref()).await;
        if !met {
            assert!(failed.is_none(), "{failed:?} without a fault");
            println!("{at} steps of the engine were reached ({fault:?}, lasting: {lasts})");
            assert!(at >= 100);
            return;
        }
        assert!(
            failed.is_some() || !lasts,
            "a failure at step {at} went unnoticed"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_fails_once_at_any_step_loses_nothing_and_leaks_nothing() {
    each_step(Fault::Io, false, 0, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_rolls_back_at_any_step_loses_nothing_and_leaks_nothing() {
    each_step(Fault::IoAndRollback, false, 1, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_stays_broken_from_any_step_loses_nothing_and_leaks_nothing() {
    each_step(Fault::IoAndRollback, true, 0, 3).await;
}

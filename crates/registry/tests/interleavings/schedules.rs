//! Pushes, mounts, deletions, pulls and collection in one order of their transactions after the other: the product's own
//! code on its own engine, where each transaction, each query and each step with a file waits until the scheduler of
//! `shuttle` lets it go on. What it tries are the orders that a bug of small depth needs (PCT), and all there are where
//! that is few.

mod scene;
mod steps;

use std::{env, process::Command, sync::Arc};

use longshore_testbed::postgres;
use shuttle::{
    Config, Runner,
    scheduler::{DfsScheduler, PctScheduler, Scheduler},
    thread,
};

use self::{
    scene::{A, B, Scene},
    steps::wait,
};

/// How many orders of each scene are tried.
const ORDERS: usize = 150;
/// In how many places an order departs from running one after the other.
const DEPTH: usize = 4;

type Actor = fn(&Scene);

/// Who meets, and what was done before.
struct Meeting {
    before: Actor,
    actors: &'static [Actor],
}

/// Lets actors meet in the orders that `scheduler` chooses. Whatever the registry has said must be so in each.
fn explore(scheduler: impl Scheduler + 'static, meeting: &'static Meeting) -> usize {
    // Where one transaction runs after the other, the engine is all the same.
    assert!(!postgres::is_chosen(), "asked before");
    // Files are read and written on its threads.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let mut config = Config::new();
    config.stack_size = 8 << 20;
    Runner::new(scheduler, config).run(move || {
        let scene = Arc::new(wait(Scene::open()));
        (meeting.before)(&scene);
        scene.steps.begin();
        let actors: Vec<_> = meeting
            .actors
            .iter()
            .map(|actor| {
                let scene = Arc::clone(&scene);
                thread::spawn(move || actor(&scene))
            })
            .collect();
        for actor in actors {
            actor.join().unwrap();
        }
        scene.steps.end();
        let lost = wait(scene.lost());
        assert!(lost.is_empty(), "lost: {lost:#?}");
    })
}

/// Time passes and garbage goes: within some 24 hours what nothing references any more, within 48 its files.
fn collect(scene: &Scene) {
    for hours in [1, 10, 13, 1, 1, 24, 1] {
        scene.leap(hours);
        wait(scene.collect());
    }
}

/// A second server collects, too.
fn collect_beside(scene: &Scene) {
    for _ in 0..3 {
        wait(scene.collect());
    }
}

const NOTHING: Actor = |_| {};

const DELETION: Meeting = Meeting {
    before: NOTHING,
    actors: &[
        |scene| wait(scene.delete_image()),
        |scene| wait(scene.push(A, "pushed", None)),
        |scene| wait(scene.push(B, "mounted", Some(A))),
        |scene| wait(scene.pull(A)),
        collect,
    ],
};
const REPOSITORY: Meeting = Meeting {
    before: NOTHING,
    actors: &[
        |scene| wait(scene.delete_repository()),
        |scene| wait(scene.push(B, "mounted", Some(A))),
        |scene| wait(scene.push(B, "pushed", None)),
        collect,
        collect_beside,
    ],
};
/// The layer is there for an hour more.
const PULL: Meeting = Meeting {
    before: |scene| {
        wait(scene.delete_image());
        scene.leap(11);
    },
    actors: &[|scene| wait(scene.pull(A)), collect],
};
const SMALL: Meeting = Meeting {
    before: NOTHING,
    actors: &[
        |scene| wait(scene.delete_image()),
        |scene| wait(scene.mount()),
    ],
};

#[test]
fn nothing_is_lost_in_any_order_of_push_mount_delete_and_collection() {
    if postgres::is_chosen() {
        return;
    }
    let mut tried = 0;
    for meeting in [&DELETION, &REPOSITORY, &PULL] {
        tried += explore(PctScheduler::new_from_seed(7, DEPTH, ORDERS), meeting);
    }
    println!("{tried} orders tried");
}

#[test]
fn a_mount_and_the_deletion_of_the_last_image_are_tried_in_all_orders() {
    if postgres::is_chosen() {
        return;
    }
    let tried = explore(DfsScheduler::new(None, false), &SMALL);
    println!("{tried} orders, which are all");
}

/// The tests above see what the guards prevent: run without one of them, they fail, and say what is lost.
#[test]
fn without_a_guard_an_order_is_found_that_loses_something() {
    if postgres::is_chosen() {
        return;
    }
    for guard in ["promise", "grace", "foreign-keys"] {
        let test = "schedules::nothing_is_lost_in_any_order_of_push_mount_delete_and_collection";
        let run = Command::new(env::current_exe().unwrap())
            .args([test, "--exact"])
            .env("LONGSHORE_SOAK_WITHOUT", guard)
            .output()
            .unwrap();
        let told = [run.stdout, run.stderr].concat();
        let told = String::from_utf8_lossy(&told);
        assert!(!run.status.success(), "nothing lost without {guard}");
        assert!(told.contains("lost: ["), "without {guard}: {told}");
    }
}

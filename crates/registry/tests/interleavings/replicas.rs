//! Two replicas: one that slept while the other went on, and two that collect at the same time.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::SeqCst},
};

use longshore_registry::oci::upload::{AppendUpload, PushBlob};

use crate::{
    gate::gated,
    world::{Disk, Hands, World, content, image, sha256},
};

const NAME: &str = "proof/replicas";
const OTHER: &str = "proof/others";
const LENGTH: usize = 150_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_slept_through_collection_admits_nothing_and_serves_what_is_there() {
    let disk = Disk::new();
    let awake = World::open(&disk).await;
    awake.create(NAME).await.unwrap();
    // From now on no time passes for it.
    let now = || disk.clock.0.load(SeqCst);
    let clock = Arc::new(Hands(AtomicI64::new(now())));
    let meta = disk.opened(clock.clone(), None);
    let sleeper = Arc::new(World::over(meta, disk.store()).await);
    let (early, bytes) = (content(1, LENGTH), content(2, LENGTH));
    sleeper.push(NAME, early.clone()).await.unwrap();
    let kept = image(std::slice::from_ref(&early), "kept");
    sleeper.put(NAME, "kept", kept.clone()).await.unwrap();

    // A push and a chunk are under way when it falls asleep.
    let (mut pushing, body) = gated();
    let push = PushBlob {
        repository: sleeper.at(NAME),
        digest: sha256(&bytes),
        body,
    };
    let pushed = {
        let sleeper = Arc::clone(&sleeper);
        tokio::spawn(async move { sleeper.run(push).await })
    };
    let upload = sleeper.start(NAME).await.unwrap();
    let (mut appending, body) = gated();
    let append = AppendUpload {
        repository: sleeper.at(NAME),
        upload,
        range: None,
        body,
    };
    let appended = {
        let sleeper = Arc::clone(&sleeper);
        tokio::spawn(async move { sleeper.run(append).await })
    };
    for gate in [&mut pushing, &mut appending] {
        gate.until_asked().await;
        gate.send(&bytes);
        gate.until_asked().await;
    }

    // The other collects what both have begun, and pushes the same.
    for _ in 0..3 {
        disk.wait(26);
        awake.sweep().await.unwrap();
    }
    awake.push(NAME, bytes.clone()).await.unwrap();
    drop((pushing, appending));
    let (pushed, appended) = (pushed.await.unwrap(), appended.await.unwrap());
    assert!(pushed.is_err(), "a segment without a file was admitted");
    assert!(appended.is_err(), "{appended:?}");
    awake.assert_no_file_leaks(&disk).await;

    // It answers truly, though it does not know yet what time it is.
    sleeper.reads(NAME, sha256(&bytes)).await.unwrap();
    assert_eq!(sleeper.manifest(NAME, "kept").await.unwrap(), kept);
    sleeper.reads(NAME, sha256(&early)).await.unwrap();
    clock.0.store(now(), SeqCst);
    sleeper.push(NAME, content(3, LENGTH)).await.unwrap();
    sleeper.sweep().await.unwrap();
    for world in [&awake, &*sleeper] {
        world
            .reads(NAME, sha256(&content(3, LENGTH)))
            .await
            .unwrap();
    }
    drop(sleeper);
    awake.assert_no_file_leaks(&disk).await;
    awake.assert_nothing_is_left(&disk, &[NAME]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_that_collect_at_once_remove_what_nothing_needs_and_nothing_else() {
    let disk = Disk::new();
    let (one, two) = (World::open(&disk).await, World::open(&disk).await);
    let both = [Arc::new(one), Arc::new(two)];
    for name in [NAME, OTHER] {
        both[0].create(name).await.unwrap();
    }
    for round in 0..4 {
        // Of each pair the first is used by an image, the second by nothing.
        let pairs: Vec<_> = (0..8)
            .map(|idx| {
                let seed = 100 * round + 2 * idx;
                (content(seed, LENGTH), content(seed + 1, LENGTH))
            })
            .collect();
        for (idx, (used, unused)) in pairs.iter().enumerate() {
            let world = &both[idx % 2];
            for name in [NAME, OTHER] {
                world.push(name, used.clone()).await.unwrap();
                world.push(name, unused.clone()).await.unwrap();
            }
            let manifest = image(std::slice::from_ref(used), &format!("{round} {idx}"));
            let tag = format!("r{round}-{idx}");
            world.put(NAME, &tag, manifest).await.unwrap();
        }
        // A link, a blob, a file: each falls due in its turn, and while they go the same is pushed again.
        for hours in [26, 13, 26] {
            disk.wait(hours);
            let sweepers = both.iter().cycle().take(4).map(|world| {
                let world = Arc::clone(world);
                tokio::spawn(async move { world.sweep().await.unwrap() })
            });
            let sweepers: Vec<_> = sweepers.collect();
            let again = pairs.iter().zip(both.iter().cycle()).step_by(3);
            for ((_, unused), world) in again {
                world.push(NAME, unused.clone()).await.unwrap();
            }
            for sweeper in sweepers {
                sweeper.await.unwrap();
            }
            for ((used, unused), idx) in pairs.iter().zip(0..) {
                let world = &both[idx % 2];
                world.reads(NAME, sha256(used)).await.unwrap();
                if idx % 3 == 0 {
                    world.reads(NAME, sha256(unused)).await.unwrap();
                }
            }
            both[0].assert_no_file_leaks(&disk).await;
        }
    }
    let [one, two] = both;
    drop(two);
    one.assert_nothing_is_left(&disk, &[NAME, OTHER]).await;
}

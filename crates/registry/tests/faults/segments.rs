//! A segment store that fails at call N and at every later one.

use longshore_store::blob::fault::{FaultStore, When};

use crate::{
    course::{Ledger, prepare, recover},
    world::{Disk, World},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_store_that_fails_at_any_call_loses_nothing_and_leaks_nothing() {
    for when in [When::Before, When::After] {
        for at in 0.. {
            let disk = Disk::new();
            prepare(&disk).await;
            let store = FaultStore::new(disk.store(), at, when);
            let world = World::over(disk.metadata(), std::sync::Arc::new(store.clone())).await;
            let mut ledger = Ledger::default();
            let failed = ledger.run(&disk, &world).await.err();
            drop(world);
            recover(&disk, &ledger, failed.as_ref()).await;
            if !store.has_failed() {
                assert!(failed.is_none(), "{failed:?} without a fault");
                println!("{at} calls of the segment store failed ({when:?}), none lost anything");
                // Four segments, each created and finished and two of them written before, a read, a removal.
                assert!(at >= 12);
                break;
            }
            assert!(failed.is_some(), "a failure at call {at} went unnoticed");
        }
    }
}

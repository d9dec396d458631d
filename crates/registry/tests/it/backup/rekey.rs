//! Backups and the exchange of the master key.

use longshore_registry::{
    keys::Keys,
    operator::{backup, rekey::master::Exchange},
};
use longshore_store::crypto::{MasterKey, MasterKeys};

use super::{Gate, backed_up, keeping, made, over, place, with_two_images};
use crate::harness::TestCore;

fn key(byte: &str) -> MasterKey {
    MasterKey::parse(&byte.repeat(32)).unwrap()
}

fn both() -> MasterKeys {
    MasterKeys::from(key("5a")).with(key("6b"))
}

/// Exchanges the key of a store for another; returns a server that has the new one alone.
async fn exchange(t: &TestCore) -> TestCore {
    let with_both = t.replica_with(both()).await;
    let begun = Exchange::begin(&with_both.core, key("6b").check_value());
    let mut exchange = begun.await.unwrap().unwrap();
    while exchange.step().await.unwrap() {}
    t.replica_with(key("6b").into()).await
}

#[tokio::test]
async fn no_backup_is_made_that_takes_two_master_keys() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    let with_both = t.replica_with(both()).await;
    let begun = Exchange::begin(&with_both.core, key("6b").check_value());
    let mut exchange = begun.await.unwrap().unwrap();
    let place = place(dir.path());
    let refused = backup::backup(&with_both.core, &place, keeping(1), |_| {});
    let refused = refused.await.unwrap_err().to_string();
    assert!(refused.contains("being exchanged"), "{refused}");
    while exchange.step().await.unwrap() {}
    made(&with_both, &place, keeping(1)).await;
    let new = Keys::new(key("6b").into());
    place.open(None, &new).await.unwrap();
}

#[tokio::test]
async fn an_exchange_between_the_beginning_and_the_snapshot_is_noticed() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    let (gate, reached, open) = Gate::new(dir.path(), "/begin");
    let gated = over(dir.path(), gate, true);
    let with_both = t.replica_with(both()).await;
    let backing = backup::backup(&with_both.core, &gated, keeping(1), |_| {});
    let meanwhile = async {
        reached.acquire().await.unwrap().forget();
        exchange(&t).await;
        open.add_permits(1);
    };
    let (refused, ()) = tokio::join!(backing, meanwhile);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("being exchanged"), "{refused}");
    assert!(place(dir.path()).list().await.unwrap().is_empty());
    made(&with_both, &place(dir.path()), keeping(1)).await;
    let new = Keys::new(key("6b").into());
    place(dir.path()).open(None, &new).await.unwrap();
}

#[tokio::test]
async fn backups_of_another_key_stay_and_it_is_told() {
    let (t, _) = with_two_images().await;
    let dir = tempfile::tempdir().unwrap();
    let first = backed_up(&t, dir.path()).await;
    let t = exchange(&t).await;
    let second = made(&t, &place(dir.path()), keeping(1)).await;
    assert!(second.removed_backups.is_empty());
    let why = second.not_removed.unwrap();
    assert!(
        why.contains(&first.id) && why.contains("--second-master-key-file"),
        "{why}"
    );
    // With the old key, too, it is known what it needs.
    let t = t.replica_with(both()).await;
    let third = made(&t, &place(dir.path()), keeping(1)).await;
    assert_eq!(third.removed_backups, [first.id, second.id]);
}

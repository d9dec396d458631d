//! The master key is exchanged in steps, any of which may be the last before a crash.

use longshore_registry::{
    bootstrap::{self, Refused},
    iam::{access_key::CreateAccessKey, user::CreateUser},
    operator::rekey::master::{Exchange, NotExchanged},
};
use longshore_store::{
    crypto::{MasterKey, MasterKeys},
    meta::{self, Durability},
};
use serde_json::json;

use super::manifest_of;
use crate::harness::TestCore;

/// The key that every test's store begins with.
const OLD: &str = "5a";
const NEW: &str = "6b";

fn key(byte: &str) -> MasterKey {
    MasterKey::parse(&byte.repeat(32)).unwrap()
}

fn both() -> MasterKeys {
    MasterKeys::from(key(OLD)).with(key(NEW))
}

async fn may_start(t: &TestCore, keys: &MasterKeys) -> Result<(), Refused> {
    bootstrap::check(&t.core.meta, keys).await
}

/// Makes a user with a key; returns the key and its secret.
async fn access_key(t: &TestCore, user: &str) -> (String, String) {
    t.ok::<CreateUser>(json!({"UserName": user})).await;
    let made = t.ok::<CreateAccessKey>(json!({"UserName": user})).await;
    let text = |name: &str| made["AccessKey"][name].as_str().unwrap().to_owned();
    (text("AccessKeyId"), text("SecretAccessKey"))
}

/// Whether this server knows the secret of a key, and serves the image that each of the repositories has.
async fn works(t: &TestCore, keys: &[(String, String)], repositories: &[String]) {
    for (id, secret) in keys {
        let found = t.core.principals.access_key(&t.core.meta, &t.core.keys, id);
        let found = found.await.unwrap().unwrap();
        assert_eq!(&*found.secret, secret.as_str());
    }
    for repository in repositories {
        manifest_of(t, repository).await;
    }
}

/// Begins an exchange and takes so many steps of it; returns whether that was all.
async fn steps(t: &TestCore, most: usize) -> bool {
    let exchange = Exchange::begin(&t.core, key(NEW).check_value());
    let Some(mut exchange) = exchange.await.unwrap() else {
        return true;
    };
    for _ in 0..most {
        if !exchange.step().await.unwrap() {
            assert_eq!(exchange.done.unreadable, 0);
            return true;
        }
    }
    false
}

#[tokio::test]
async fn an_exchange_may_end_at_any_step_and_be_begun_again() {
    for crash in 0.. {
        let t = TestCore::start().await;
        let mut keys = vec![access_key(&t, "before").await];
        let mut repositories = vec!["before".to_owned()];
        t.repository("before").await;
        t.image("before", "before", Some("v1")).await;

        let stopped = t.replica_with(both()).await;
        let done = steps(&stopped, crash).await;
        drop(stopped);
        // What runs with both keys goes on, and so does what starts with both.
        let with_both = t.replica_with(both()).await;
        assert!(may_start(&t, &both()).await.is_ok());
        if !done {
            let old_alone = may_start(&t, &key(OLD).into()).await;
            assert!(matches!(old_alone, Err(Refused::SecondMasterKey)));
            let new_alone = may_start(&t, &key(NEW).into()).await;
            assert!(matches!(new_alone, Err(Refused::SecondMasterKey)));
        }
        works(&with_both, &keys, &repositories).await;
        // What is sealed meanwhile is sealed under the new key, although that has passed by.
        keys.push(access_key(&with_both, "meanwhile").await);
        with_both.repository("meanwhile").await;
        with_both.image("meanwhile", "m", Some("v1")).await;
        repositories.push("meanwhile".to_owned());

        assert!(steps(&with_both, usize::MAX).await);
        let old_alone = may_start(&t, &key(OLD).into()).await;
        assert!(matches!(old_alone, Err(Refused::MasterKey)));
        let with_new = t.replica_with(key(NEW).into()).await;
        assert!(may_start(&t, &key(NEW).into()).await.is_ok());
        works(&with_new, &keys, &repositories).await;
        if done {
            assert!(crash > 3, "the exchange has steps");
            return;
        }
    }
}

#[tokio::test]
async fn a_server_without_the_new_key_seals_nothing_that_would_be_lost() {
    let t = TestCore::start().await;
    t.ok::<CreateUser>(json!({"UserName": "who"})).await;
    let with_both = t.replica_with(both()).await;
    assert!(!steps(&with_both, 0).await);
    let (name, _) = t
        .refused::<CreateAccessKey>(json!({"UserName": "who"}))
        .await;
    assert_eq!(name, "Unavailable");
    with_both
        .ok::<CreateAccessKey>(json!({"UserName": "who"}))
        .await;
}

#[tokio::test]
async fn a_key_that_is_not_the_stores_exchanges_nothing() {
    let t = TestCore::start().await;
    let id = access_key(&t, "who").await;
    // The old one is not given.
    let begun = Exchange::begin(&t.core, key(NEW).check_value()).await;
    assert!(matches!(
        begun,
        Err(NotExchanged::Refused(Refused::MasterKey))
    ));
    let with_both = t.replica_with(both()).await;
    assert!(!steps(&with_both, 1).await);
    // Another exchange is under way.
    let third = t.replica_with(both().with(key("7c"))).await;
    let begun = Exchange::begin(&third.core, key("7c").check_value()).await;
    assert!(matches!(begun, Err(NotExchanged::Another)));
    assert!(steps(&with_both, usize::MAX).await);
    works(&with_both, &[id], &[]).await;
    // The store is under that key already.
    let with_new = t.replica_with(key(NEW).into()).await;
    let again = Exchange::begin(&with_new.core, key(NEW).check_value()).await;
    assert!(again.unwrap().is_none());
}

#[tokio::test]
async fn what_was_left_under_the_old_key_is_sealed_anew_when_both_are_given_again() {
    let t = TestCore::start().await;
    let (id, secret) = access_key(&t, "who").await;
    let with_both = t.replica_with(both()).await;
    let of = id.clone();
    let under_old: Vec<u8> = with_both
        .core
        .meta
        .read(move |tx| {
            let sql = "SELECT secret FROM access_key WHERE id = ?1";
            Ok::<_, meta::Error>(tx.row(sql, &[of.as_str().into()])?.unwrap())
        })
        .await
        .unwrap();
    assert!(steps(&with_both, usize::MAX).await);
    let of = id.clone();
    with_both
        .core
        .meta
        .write(Durability::Durable, move |tx| {
            let sql = "UPDATE access_key SET secret = ?2 WHERE id = ?1";
            tx.execute(sql, &[of.as_str().into(), under_old.as_slice().into()])
        })
        .await
        .unwrap();
    let exchange = Exchange::begin(&with_both.core, key(NEW).check_value());
    let mut exchange = exchange.await.unwrap().unwrap();
    while exchange.step().await.unwrap() {}
    assert_eq!((exchange.done.resealed, exchange.done.resumed), (1, false));
    let with_new = t.replica_with(key(NEW).into()).await;
    assert!(may_start(&t, &key(NEW).into()).await.is_ok());
    works(&with_new, &[(id, secret)], &[]).await;
}

//! Collection takes nothing that a copy still needs, and everything that none needs.

use std::time::Duration;

use longshore_registry::job;
use serde_json::json;

use super::{begin, furnish, look, other_account, registry, seen};
use crate::harness::{OTHER, TestCore};

#[tokio::test]
async fn a_copy_that_rests_for_days_between_its_steps_is_whole_all_the_same() {
    let t = TestCore::start().await;
    furnish(&t).await;
    let root = other_account(&t).await;
    let within = begin(&t, json!({"targetRepositoryName": "new"})).await;
    let across = begin(&t, json!({"targetRegistryId": OTHER})).await;
    for _ in 0..12 {
        job::tick(&t.core).await.unwrap();
        t.advance(Duration::from_hours(20));
    }
    t.sweep().await;
    for id in [&within, &across] {
        let told = look(&t, id).await;
        assert_eq!(told["status"], "COMPLETE", "{told}");
    }
    for _ in 0..3 {
        t.advance(Duration::from_hours(26));
        t.sweep().await;
    }
    let source = seen(&t, t.registry(), "app", &t.caller).await;
    assert_eq!(seen(&t, t.registry(), "new", &t.caller).await, source);
    let there = registry(OTHER, "eu-central-1");
    assert_eq!(seen(&t, there, "app", &root).await, source);
}

use std::time::Duration;

use longshore_registry::{
    extension::MoveRepository,
    op::{image::ListImages, repository::DescribeRepositories},
};
use serde_json::json;

use super::{begin_move, call_at, furnish, look, other_account, registry, rows, seen, unpulled};
use crate::harness::{OTHER, TestCore};

#[tokio::test]
async fn a_moved_repository_is_there_with_its_age_and_here_no_more() {
    let t = TestCore::start().await;
    furnish(&t).await;
    let root = other_account(&t).await;
    let before = seen(&t, t.registry(), "app", &t.caller).await;
    t.advance(Duration::from_mins(1));
    let to = json!({"targetRegistryId": OTHER, "targetRepositoryName": "from-afar/app"});
    let id = begin_move(&t, to).await;
    while look(&t, &id).await["status"] == "IN_PROGRESS" {
        t.ok::<ListImages>(json!({"repositoryName": "app"})).await;
        longshore_registry::job::tick(&t.core).await.unwrap();
    }
    let told = look(&t, &id).await;
    assert_eq!(
        (&told["status"], &told["copyType"]),
        (&json!("COMPLETE"), &json!("MOVE"))
    );
    let gone = t
        .refused::<ListImages>(json!({"repositoryName": "app"}))
        .await;
    assert_eq!(gone.0, "RepositoryNotFound");
    let there = registry(OTHER, "eu-central-1");
    let moved = seen(&t, there, "from-afar/app", &root).await;
    assert_eq!(unpulled(moved), unpulled(before.clone()));
    let described = call_at::<DescribeRepositories>(&t, there, &root, json!({})).await;
    assert_eq!(
        described.unwrap()["repositories"][0]["createdAt"],
        1_700_000_000.123
    );
    for _ in 0..4 {
        t.advance(Duration::from_hours(26));
        t.sweep().await;
    }
    assert_eq!(rows(&t, "repository").await, 1);
    assert_eq!(t.files(), 1);
    let after = seen(&t, there, "from-afar/app", &root).await;
    assert_eq!(unpulled(after), unpulled(before));
}

#[tokio::test]
async fn within_a_registry_a_move_is_a_new_name() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let refused = t
        .refused::<MoveRepository>(json!({"repositoryName": "app", "targetRepositoryName": "new"}))
        .await;
    assert_eq!(refused.0, "InvalidParameter");
    assert!(refused.1.contains("RenameRepository"), "{}", refused.1);
}

#[tokio::test]
async fn a_move_to_another_region_of_the_account_needs_no_registry_policy() {
    let t = TestCore::start().await;
    furnish(&t).await;
    let before = seen(&t, t.registry(), "app", &t.caller).await;
    let id = begin_move(&t, json!({"targetRegion": "us-west-2"})).await;
    t.sweep().await;
    assert_eq!(look(&t, &id).await["status"], "COMPLETE");
    let there = registry(crate::harness::ACCOUNT, "us-west-2");
    assert_eq!(seen(&t, there, "app", &t.caller).await, before);
}

use std::time::Duration;

use longshore_registry::{
    extension::{CancelRepositoryCopy, CopyRepository, DescribeRepositoryCopies},
    op::{
        image::{BatchDeleteImage, DescribeImages, ListImages},
        lifecycle::GetLifecyclePolicy,
        repository::{CreateRepository, DeleteRepository, DescribeRepositories},
    },
};
use serde_json::{Value, json};

use super::{
    LARGE, begin, call_at, copy, furnish, look, other_account, registry, rows, seen, unpulled,
};
use crate::harness::{ACCOUNT, OTHER, TestCore, texts};

#[tokio::test]
async fn a_copy_within_a_registry_is_all_that_the_source_is_and_takes_no_bytes() {
    let t = TestCore::start().await;
    furnish(&t).await;
    let files = t.files();
    let told = copy(&t, json!({"targetRepositoryName": "mirror/app"})).await;
    assert_eq!(
        (
            &told["imageCount"],
            &told["copiedImageCount"],
            &told["copiedBytes"]
        ),
        (&json!(9), &json!(9), &json!(0))
    );
    assert_eq!(told["copyType"], "COPY");
    assert_eq!(
        told["targetRepositoryArn"],
        format!("arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/mirror/app")
    );
    assert_eq!(t.files(), files);
    let source = seen(&t, t.registry(), "app", &t.caller).await;
    assert_eq!(
        seen(&t, t.registry(), "mirror/app", &t.caller).await,
        source
    );
    let described = t.ok::<DescribeRepositories>(json!({})).await;
    assert_eq!(
        texts(&described["repositories"], "repositoryName"),
        ["app", "mirror/app"]
    );
    assert_eq!(described["repositories"][1]["createdAt"], 1_700_000_180.123);
    assert_eq!(rows(&t, "repository_copy_change").await, 0);
}

#[tokio::test]
async fn a_copy_to_another_account_and_region_has_bytes_of_its_own() {
    let t = TestCore::start().await;
    furnish(&t).await;
    let root = other_account(&t).await;
    let files = t.files();
    let to = json!({"targetRegistryId": OTHER, "targetRegion": "us-west-2"});
    let told = copy(&t, to).await;
    assert_eq!(t.files(), files + 1);
    assert!(told["copiedBytes"].as_i64().unwrap() > i64::try_from(LARGE).unwrap());
    let source = seen(&t, t.registry(), "app", &t.caller).await;
    let there = registry(OTHER, "us-west-2");
    assert_eq!(seen(&t, there, "app", &root).await, source);
    // What is the source's alone goes with it.
    t.delete_repository("app").await;
    for _ in 0..4 {
        t.advance(Duration::from_hours(26));
        t.sweep().await;
    }
    assert_eq!(t.files(), 1);
    let target = seen(&t, there, "app", &root).await;
    assert_eq!(unpulled(target), unpulled(source));
}

#[tokio::test]
async fn nobody_sees_the_target_before_it_is_whole() {
    let t = TestCore::start().await;
    furnish(&t).await;
    let id = begin(&t, json!({"targetRepositoryName": "new"})).await;
    let begun = look(&t, &id).await;
    assert_eq!(
        (&begun["status"], &begun["phase"]),
        (&json!("IN_PROGRESS"), &json!("IMAGES"))
    );
    loop {
        let told = look(&t, &id).await;
        let listed = t.call::<ListImages>(json!({"repositoryName": "new"})).await;
        let described = t.ok::<DescribeRepositories>(json!({})).await;
        let names = texts(&described["repositories"], "repositoryName");
        if told["status"] == "COMPLETE" {
            assert_eq!(names, ["app", "new"]);
            return assert!(listed.is_ok());
        }
        assert!(listed.is_err());
        assert_eq!(names, ["app"]);
        assert_eq!(
            t.refused::<DeleteRepository>(json!({"repositoryName": "new"}))
                .await
                .0,
            "RepositoryNotFound"
        );
        longshore_registry::job::tick(&t.core).await.unwrap();
    }
}

#[tokio::test]
async fn a_lifecycle_policy_does_not_run_on_a_copy_sooner_than_on_a_new_repository() {
    let t = TestCore::start().await;
    furnish(&t).await;
    t.advance(Duration::from_hours(13));
    t.sweep().await;
    let ran = t
        .ok::<GetLifecyclePolicy>(json!({"repositoryName": "app"}))
        .await;
    assert!(ran.get("lastEvaluatedAt").is_some());
    copy(&t, json!({"targetRepositoryName": "new"})).await;
    let copied = t
        .ok::<GetLifecyclePolicy>(json!({"repositoryName": "new"}))
        .await;
    assert_eq!(copied["lastEvaluatedAt"], ran["lastEvaluatedAt"]);
}

#[tokio::test]
async fn a_taken_name_an_absent_source_and_bad_members_are_refused() {
    let t = TestCore::start().await;
    t.repository("app").await;
    t.repository("taken").await;
    let refused = |input: Value| t.refused::<CopyRepository>(input);
    let way = |to: &str| json!({"repositoryName": "app", "targetRepositoryName": to});
    assert_eq!(refused(way("taken")).await.0, "RepositoryAlreadyExists");
    assert_eq!(refused(way("app")).await.0, "InvalidParameter");
    assert_eq!(
        refused(json!({"repositoryName": "app"})).await.0,
        "InvalidParameter"
    );
    let absent = json!({"repositoryName": "none", "targetRepositoryName": "some"});
    assert_eq!(refused(absent).await.0, "RepositoryNotFound");
    for (member, value) in [
        ("repositoryName", "No"),
        ("targetRepositoryName", "a//b"),
        ("targetRegistryId", "12"),
        ("targetRegion", "EU Central"),
        ("registryId", "x"),
    ] {
        let mut input = way("new");
        input[member] = json!(value);
        let (name, text) = refused(input).await;
        assert_eq!(name, "InvalidParameter");
        assert!(text.contains(member), "{text}");
    }
}

#[tokio::test]
async fn one_copy_to_a_name_and_twenty_of_an_account_are_under_way() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let way = |to: &str| json!({"repositoryName": "app", "targetRepositoryName": to});
    t.ok::<CopyRepository>(way("to-0")).await;
    let again = t.refused::<CopyRepository>(way("to-0")).await;
    assert_eq!(again.0, "LimitExceeded");
    for idx in 1..20 {
        t.ok::<CopyRepository>(way(&format!("to-{idx}"))).await;
    }
    let many = t.refused::<CopyRepository>(way("to-20")).await;
    assert_eq!(many.0, "LimitExceeded");
    assert_eq!(rows(&t, "repository").await, 21);
    t.sweep().await;
    t.ok::<CopyRepository>(way("to-20")).await;
    t.sweep().await;
    let named = t.ok::<DescribeRepositories>(json!({})).await;
    assert_eq!(named["repositories"].as_array().unwrap().len(), 22);
}

#[tokio::test]
async fn copies_are_listed_in_pages_latest_first_and_forgotten_after_a_week() {
    let t = TestCore::start().await;
    t.repository("app").await;
    let mut ids = Vec::new();
    for idx in 0..5 {
        let id = begin(&t, json!({"targetRepositoryName": format!("to-{idx}")})).await;
        ids.insert(0, id.as_str().unwrap().to_owned());
    }
    let (mut listed, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut input = json!({"repositoryName": "app", "maxResults": 2});
        if token.is_string() {
            input["nextToken"] = token.take();
        }
        let page = t.ok::<DescribeRepositoryCopies>(input).await;
        listed.extend(texts(&page["repositoryCopies"], "copyId"));
        match page.get("nextToken") {
            Some(next) => token = next.clone(),
            None => break,
        }
    }
    assert_eq!(listed, ids);
    let refused = |input: Value| t.refused::<DescribeRepositoryCopies>(input);
    let of = |id: &str| json!({"repositoryName": "app", "copyId": id});
    let mut both = of(&ids[0]);
    both["maxResults"] = json!(1);
    for input in [
        json!({}),
        json!({"repositoryName": "app", "maxResults": 0}),
        json!({"repositoryName": "app", "nextToken": "x"}),
        json!({"repositoryName": "to-0", "copyId": ids[0]}),
        of("x"),
        both,
    ] {
        assert_eq!(refused(input).await.0, "InvalidParameter");
    }
    t.sweep().await;
    t.advance(Duration::from_hours(24 * 7));
    t.sweep().await;
    assert_eq!(rows(&t, "repository_copy").await, 5);
    t.advance(Duration::from_secs(1));
    t.sweep().await;
    assert_eq!(rows(&t, "repository_copy").await, 0);
    assert_eq!(refused(of(&ids[0])).await.0, "InvalidParameter");
}

#[tokio::test]
async fn a_cancelled_copy_leaves_nothing() {
    let t = TestCore::start().await;
    furnish(&t).await;
    let root = other_account(&t).await;
    let source = seen(&t, t.registry(), "app", &t.caller).await;
    let files = t.files();
    for ticks in 0..4 {
        let id = begin(&t, json!({"targetRegistryId": OTHER})).await;
        for _ in 0..ticks {
            longshore_registry::job::tick(&t.core).await.unwrap();
        }
        t.ok::<BatchDeleteImage>(
            json!({"repositoryName": "app", "imageIds": [{"imageTag": "none"}]}),
        )
        .await;
        let of = json!({"repositoryName": "app", "copyId": id});
        let ended = t.ok::<CancelRepositoryCopy>(of.clone()).await;
        assert_eq!(ended["repositoryCopy"]["status"], "CANCELLED");
        assert_eq!(t.ok::<CancelRepositoryCopy>(of).await, ended);
        t.sweep().await;
        assert_eq!(look(&t, &id).await["status"], "CANCELLED");
    }
    for _ in 0..3 {
        t.advance(Duration::from_hours(26));
        t.sweep().await;
    }
    assert_eq!(t.files(), files);
    assert_eq!(rows(&t, "repository").await, 1);
    let there = registry(OTHER, "eu-central-1");
    let listed = call_at::<DescribeRepositories>(&t, there, &root, json!({})).await;
    assert_eq!(listed.unwrap()["repositories"], json!([]));
    let after = seen(&t, t.registry(), "app", &t.caller).await;
    assert_eq!(unpulled(after), unpulled(source));
}

#[tokio::test]
async fn a_name_that_is_taken_meanwhile_fails_the_copy_and_stays_with_its_owner() {
    let t = TestCore::start().await;
    furnish(&t).await;
    let id = begin(&t, json!({"targetRepositoryName": "new"})).await;
    longshore_registry::job::tick(&t.core).await.unwrap();
    t.ok::<CreateRepository>(json!({"repositoryName": "new"}))
        .await;
    t.sweep().await;
    let told = look(&t, &id).await;
    assert_eq!(told["status"], "FAILED");
    assert_eq!(
        told["failureReason"],
        format!(
            "The repository with name 'new' already exists in the registry with id '{ACCOUNT}'"
        )
    );
    let images = t
        .ok::<DescribeImages>(json!({"repositoryName": "new"}))
        .await;
    assert_eq!(images["imageDetails"], json!([]));
    assert_eq!(rows(&t, "repository").await, 2);
}

#[tokio::test]
async fn a_source_that_is_deleted_fails_the_copy() {
    let t = TestCore::start().await;
    furnish(&t).await;
    let id = begin(&t, json!({"targetRepositoryName": "new"})).await;
    longshore_registry::job::tick(&t.core).await.unwrap();
    t.delete_repository("app").await;
    t.repository("app").await;
    t.sweep().await;
    let told = look(&t, &id).await;
    assert_eq!(told["status"], "FAILED");
    assert_eq!(rows(&t, "repository").await, 1);
}

#[tokio::test]
async fn a_damaged_layer_fails_a_copy_of_bytes_and_names_it() {
    let t = TestCore::start().await;
    furnish(&t).await;
    other_account(&t).await;
    t.damage_files();
    let id = begin(&t, json!({"targetRegistryId": OTHER})).await;
    for _ in 0..20 {
        t.sweep().await;
        t.advance(Duration::from_mins(11));
    }
    let told = look(&t, &id).await;
    assert_eq!(told["status"], "FAILED");
    let layer = crate::harness::digest_of(&vec![5; LARGE]).to_string();
    assert!(
        told["failureReason"].as_str().unwrap().contains(&layer),
        "{told}"
    );
}

use longshore_registry::op::lifecycle::{
    DeleteLifecyclePolicy, GetLifecyclePolicy, PutLifecyclePolicy, StartLifecyclePolicyPreview,
};
use serde_json::json;

use super::{age, count, put, run, start, text};
use crate::harness::{ACCOUNT, TestCore};

#[tokio::test]
async fn a_policy_is_kept_as_it_was_given_until_it_is_deleted() {
    let t = start().await;
    // Order and white space are the client's.
    let text = format!(
        "  {}\n",
        text(&[count(7, &["any"], 3), age(2, &["untagged"], 1)])
    );
    let named = json!({"repositoryName": "app"});
    let put = json!({"repositoryName": "app", "lifecyclePolicyText": text});
    assert_eq!(
        t.ok::<PutLifecyclePolicy>(put).await,
        json!({"registryId": ACCOUNT, "repositoryName": "app", "lifecyclePolicyText": text})
    );
    let evaluated = json!({
        "registryId": ACCOUNT,
        "repositoryName": "app",
        "lifecyclePolicyText": text,
        "lastEvaluatedAt": 0.0,
    });
    assert_eq!(t.ok::<GetLifecyclePolicy>(named.clone()).await, evaluated);
    assert_eq!(
        t.ok::<DeleteLifecyclePolicy>(named.clone()).await,
        evaluated
    );
    for refused in [
        t.refused::<GetLifecyclePolicy>(named.clone()).await,
        t.refused::<DeleteLifecyclePolicy>(named.clone()).await,
        t.refused::<StartLifecyclePolicyPreview>(named).await,
    ] {
        assert_eq!(
            refused,
            (
                "LifecyclePolicyNotFound".to_owned(),
                format!(
                    "Lifecycle policy does not exist for the repository with name 'app' in the registry with id '{ACCOUNT}'"
                )
            )
        );
    }
}

#[tokio::test]
async fn a_policy_dies_with_its_repository() {
    let t = start().await;
    put(&t, &[count(1, &["any"], 3)]).await;
    t.image("app", "one", None).await;
    super::preview(&t, &[count(1, &["any"], 3)]).await;
    t.delete_repository("app").await;
    t.repository("app").await;
    let named = json!({"repositoryName": "app"});
    let refused = t.refused::<GetLifecyclePolicy>(named).await;
    assert_eq!(refused.0, "LifecyclePolicyNotFound");
    t.sweep().await;
    // Nothing of it is left for a sweeper to stumble over.
    for table in [
        "lifecycle_policy",
        "lifecycle_evaluation",
        "lifecycle_mark",
        "lifecycle_dropped",
    ] {
        assert_eq!(rows(&t, table).await, 0, "{table}");
    }
    assert_eq!(rows(&t, "repository").await, 1);
}

async fn rows(t: &TestCore, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    let count = move |tx: &mut dyn longshore_store::meta::Tx| tx.count(&sql, &[]);
    t.core.meta.read(count).await.unwrap()
}

#[tokio::test]
async fn texts_that_are_no_policies_are_refused_where_one_is_given() {
    let t = start().await;
    let constraint = |member: &str, what: &str| {
        format!("Invalid parameter at '{member}' failed to satisfy constraint: '{what}'")
    };
    let filler = " ".repeat(100);
    let untagged = age(1, &["untagged"], 1);
    for (given, member, what) in [
        (
            "{}".to_owned(),
            "lifecyclePolicyText",
            "Member must have length greater than or equal to 100",
        ),
        (
            " ".repeat(30_721),
            "lifecyclePolicyText",
            "Member must have length less than or equal to 30720",
        ),
        (
            filler.clone(),
            "LifecyclePolicyText",
            "Lifecycle policy validation failure: Could not map policyString into LifecyclePolicy.",
        ),
        (
            format!("{{}}{filler}"),
            "LifecyclePolicyText",
            r#"Lifecycle policy validation failure: object has missing required properties (["rules"])"#,
        ),
        (
            text(&[count(1, &["any"], 1), untagged]),
            "LifecyclePolicyText",
            "Lifecycle policy validation failure: Rule priority 1 is not unique.",
        ),
    ] {
        let input = json!({"repositoryName": "app", "lifecyclePolicyText": given});
        let expected = ("InvalidParameter".to_owned(), constraint(member, what));
        assert_eq!(
            t.refused::<PutLifecyclePolicy>(input.clone()).await,
            expected
        );
        assert_eq!(
            t.refused::<StartLifecyclePolicyPreview>(input).await,
            expected
        );
    }
    let refused = t
        .refused::<PutLifecyclePolicy>(json!({"repositoryName": "app"}))
        .await;
    assert_eq!(
        refused.1,
        constraint("lifecyclePolicyText", "Member must not be null")
    );
}

#[tokio::test]
async fn another_policy_has_not_run_and_the_same_one_has() {
    let t = start().await;
    let evaluated = || async {
        let got = t
            .ok::<GetLifecyclePolicy>(json!({"repositoryName": "app"}))
            .await;
        got["lastEvaluatedAt"].as_f64().unwrap()
    };
    put(&t, &[count(1, &["any"], 3)]).await;
    run(&t).await;
    let first = evaluated().await;
    assert!(first > 1_700_000_000.0);
    put(&t, &[count(1, &["any"], 3)]).await;
    assert!(evaluated().await.total_cmp(&first).is_eq());
    put(&t, &[count(1, &["any"], 4)]).await;
    assert!(evaluated().await.total_cmp(&0.0).is_eq());
    run(&t).await;
    assert!(evaluated().await > first);
}

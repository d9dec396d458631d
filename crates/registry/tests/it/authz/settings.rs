use longshore_registry::op::{
    image::ListImages,
    registry::{
        GetAccountSetting, PutAccountSetting, PutRegistryPolicy, RegisterPullTimeUpdateExclusion,
    },
    repository::CreateRepository,
};
use longshore_store::meta::Durability;
use serde_json::{Value, json};

use super::people::{People, allow, grant, policy};
use crate::harness::{ACCOUNT, OTHER, TestCore, name_of};

#[tokio::test]
async fn settings_have_defaults_and_take_their_own_values_only() {
    let t = TestCore::start().await;
    for (name, default, values) in [
        ("BASIC_SCAN_TYPE_VERSION", "AWS_NATIVE", vec!["AWS_NATIVE"]),
        ("BLOB_MOUNTING", "ENABLED", vec!["DISABLED", "ENABLED"]),
        ("REGISTRY_POLICY_SCOPE", "V2", vec!["V1", "V2"]),
    ] {
        let get = || t.ok::<GetAccountSetting>(json!({"name": name}));
        assert_eq!(get().await, json!({"name": name, "value": default}));
        for value in values {
            let setting = json!({"name": name, "value": value});
            assert_eq!(t.ok::<PutAccountSetting>(setting.clone()).await, setting);
            assert_eq!(get().await, setting);
        }
        for bad in [json!("CLAIR"), json!(""), json!("v2"), Value::Null] {
            let input = json!({"name": name, "value": bad});
            let (error, text) = t.refused::<PutAccountSetting>(input).await;
            assert_eq!(error, "InvalidParameter");
            assert!(text.contains("'value'"), "{text}");
        }
    }
    for bad in [json!("NONSENSE"), json!(""), Value::Null] {
        let (error, text) = t.refused::<GetAccountSetting>(json!({"name": bad})).await;
        assert_eq!(error, "InvalidParameter");
        assert!(text.contains("'name'"), "{text}");
    }
}

#[tokio::test]
async fn scope_v1_takes_and_enforces_three_actions() {
    let t = TestCore::start().await;
    let people = People(&t);
    people.account(OTHER).await;
    t.repository("app").await;
    let id = people.user(OTHER, "bob").await;
    people.inline(OTHER, &id, "p", &allow("ecr:*")).await;
    let bob = people.caller(&id).await;
    let scope = async |scope: &str| {
        let input = json!({"name": "REGISTRY_POLICY_SCOPE", "value": scope});
        t.ok::<PutAccountSetting>(input).await;
    };
    let list = async || {
        let input = json!({"repositoryName": "app", "registryId": ACCOUNT});
        let listed = t.call_as::<ListImages>(bob.clone(), input).await;
        listed.map_or_else(|error| name_of(&error), |_| "allowed".to_owned())
    };
    let create = async |name: &str| {
        let input = json!({"repositoryName": name, "registryId": ACCOUNT});
        let made = t.call_as::<CreateRepository>(bob.clone(), input).await;
        made.map_or_else(|error| name_of(&error), |_| "allowed".to_owned())
    };
    let wide = json!({"policyText": grant("ecr:*", OTHER).to_string()});
    t.ok::<PutRegistryPolicy>(wide.clone()).await;
    assert_eq!(
        (list().await, create("one").await),
        both("allowed", "allowed")
    );
    scope("V1").await;
    assert_eq!(
        (list().await, create("two").await),
        both("AccessDenied", "allowed")
    );
    for more in ["ecr:*", "*", "ecr:ListImages"] {
        let text = grant(more, OTHER).to_string();
        let (error, _) = t
            .refused::<PutRegistryPolicy>(json!({"policyText": text}))
            .await;
        assert_eq!(error, "InvalidParameter", "{more}");
    }
    let actions = json!({
        "Principal": {"AWS": OTHER},
        "Action": ["ecr:ReplicateImage", "ecr:BatchImportUpstreamImage", "ecr:CreateRepository"],
    });
    let narrow = policy("Allow", "", "*", &actions).to_string();
    t.ok::<PutRegistryPolicy>(json!({"policyText": narrow}))
        .await;
    assert_eq!(create("three").await, "allowed");
    scope("V2").await;
    assert_eq!(list().await, "AccessDenied");
    t.ok::<PutRegistryPolicy>(wide).await;
    assert_eq!(list().await, "allowed");
}

fn both(list: &str, create: &str) -> (String, String) {
    (list.to_owned(), create.to_owned())
}

#[tokio::test]
async fn an_account_keeps_something_in_forty_other_regions_at_most() {
    let t = TestCore::start().await;
    t.core
        .meta
        .write(Durability::Soft, |tx| {
            tx.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 39) \
                 INSERT INTO account_setting (account, region, name, value) \
                 SELECT ?1, 'made-up-' || i, 'BLOB_MOUNTING', 'ENABLED' FROM n",
                &[ACCOUNT.into()],
            )
        })
        .await
        .unwrap();
    let setting = json!({"name": "BLOB_MOUNTING", "value": "ENABLED"});
    let policy = json!({"policyText": grant("ecr:*", OTHER).to_string()});
    let exclusion =
        |name: &str| json!({"principalArn": format!("arn:aws:iam::{ACCOUNT}:user/{name}")});
    People(&t).account(OTHER).await;
    t.ok::<PutAccountSetting>(setting.clone()).await;
    t.ok::<PutRegistryPolicy>(policy.clone()).await;
    t.ok::<RegisterPullTimeUpdateExclusion>(exclusion("a"))
        .await;
    t.core
        .meta
        .write(Durability::Soft, |tx| {
            let sql = "INSERT INTO registry_policy (kind, account, region, policy, principals) \
                       VALUES ('private', ?1, 'one-more', '', '')";
            tx.execute(sql, &[ACCOUNT.into()])
        })
        .await
        .unwrap();
    let refused = [
        t.refused::<PutAccountSetting>(setting).await,
        t.refused::<PutRegistryPolicy>(policy).await,
        t.refused::<RegisterPullTimeUpdateExclusion>(exclusion("b"))
            .await,
    ];
    // PutRegistryPolicy has no error of its own for it.
    let expected = ["LimitExceeded", "InvalidParameter", "LimitExceeded"];
    assert_eq!(refused.map(|(name, _)| name), expected);
}

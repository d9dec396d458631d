//! Whose pulls do not count, as the API keeps it; what that does is in `image/pull_time.rs`.

use longshore_registry::op::registry::{
    DeregisterPullTimeUpdateExclusion, ListPullTimeUpdateExclusions,
    RegisterPullTimeUpdateExclusion,
};
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, OTHER, TestCore};

fn arn(of: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{of}")
}

async fn register(t: &TestCore, arn: &str) -> Value {
    t.ok::<RegisterPullTimeUpdateExclusion>(json!({"principalArn": arn}))
        .await
}

async fn listed(t: &TestCore) -> Value {
    t.ok::<ListPullTimeUpdateExclusions>(json!({})).await
}

#[tokio::test]
async fn principals_are_excluded_once_until_they_are_taken_back() {
    let t = TestCore::start().await;
    assert_eq!(listed(&t).await, json!({"pullTimeUpdateExclusions": []}));
    let role = arn("role/team/scanner");
    let foreign = format!("arn:aws:iam::{OTHER}:user/bob");
    assert_eq!(
        register(&t, &role).await,
        json!({"principalArn": role, "createdAt": 1_700_000_000.123})
    );
    register(&t, &foreign).await;
    let input = json!({"principalArn": role});
    let (name, text) = t
        .refused::<RegisterPullTimeUpdateExclusion>(input.clone())
        .await;
    assert_eq!(name, "ExclusionAlreadyExists");
    assert!(text.contains(&role) && text.contains(ACCOUNT), "{text}");
    assert_eq!(
        listed(&t).await,
        json!({"pullTimeUpdateExclusions": [role, foreign]})
    );
    let taken = t
        .ok::<DeregisterPullTimeUpdateExclusion>(input.clone())
        .await;
    assert_eq!(taken, input);
    let (name, _) = t.refused::<DeregisterPullTimeUpdateExclusion>(input).await;
    assert_eq!(name, "ExclusionNotFound");
    assert_eq!(
        listed(&t).await,
        json!({"pullTimeUpdateExclusions": [foreign]})
    );
    register(&t, &role).await;
}

#[tokio::test]
async fn only_users_and_roles_are_excluded() {
    let t = TestCore::start().await;
    let long = arn(&format!("role/{}/r", "p".repeat(200)));
    for bad in [
        json!(null),
        json!(""),
        json!("scanner"),
        json!(arn("root")),
        json!(arn("group/scanners")),
        json!(arn("role/*")),
        json!(arn("role//r")),
        json!(arn("role/")),
        json!(format!("arn:aws:sts::{ACCOUNT}:assumed-role/r/s")),
        json!("arn:aws:iam::12:role/r"),
        json!("arn:aws:iam:eu-central-1:123456789012:role/r"),
        json!(long),
    ] {
        let input = json!({"principalArn": bad});
        for (name, text) in [
            t.refused::<RegisterPullTimeUpdateExclusion>(input.clone())
                .await,
            t.refused::<DeregisterPullTimeUpdateExclusion>(input.clone())
                .await,
        ] {
            assert_eq!(name, "InvalidParameter", "{bad}");
            assert!(text.contains("'principalArn'"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_registry_excludes_a_hundred_and_lists_them_in_pages() {
    let t = TestCore::start().await;
    let arns: Vec<String> = (0..100)
        .map(|idx| arn(&format!("role/r{idx:03}")))
        .collect();
    for arn in arns.iter().rev() {
        register(&t, arn).await;
    }
    let input = json!({"principalArn": arn("role/one-more")});
    let (name, _) = t.refused::<RegisterPullTimeUpdateExclusion>(input).await;
    assert_eq!(name, "LimitExceeded");
    assert_eq!(listed(&t).await["pullTimeUpdateExclusions"], json!(arns));
    let (mut all, mut token) = (Vec::new(), Value::Null);
    loop {
        let input = json!({"maxResults": 30, "nextToken": token});
        let page = t.ok::<ListPullTimeUpdateExclusions>(input).await;
        all.extend(page["pullTimeUpdateExclusions"].as_array().unwrap().clone());
        match page.get("nextToken") {
            Some(next) => token = next.clone(),
            None => break,
        }
    }
    assert_eq!(json!(all), json!(arns));
    for bad in [
        json!({"maxResults": 0}),
        json!({"maxResults": 1001}),
        json!({"nextToken": "nonsense"}),
    ] {
        let (name, _) = t.refused::<ListPullTimeUpdateExclusions>(bad).await;
        assert_eq!(name, "InvalidParameter");
    }
}

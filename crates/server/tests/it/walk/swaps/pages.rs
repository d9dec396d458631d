//! Tokens of pages.

use serde_json::{Value, json};

use super::Swap;
use crate::{harness::Account, walk::scene::Scene};

/// The token of a list's first page, of one item.
async fn token(account: &Account, service: &'static str, operation: &str, input: &Value) -> String {
    let mut input = input.clone();
    input[size(service)] = json!(1);
    let answer = account.admin.done(service, operation, &input).await;
    match service {
        "iam" => answer.element("Marker"),
        "organizations" => answer.json()["NextToken"].as_str().map(str::to_owned),
        _ => answer.json()["nextToken"].as_str().map(str::to_owned),
    }
    .unwrap_or_else(|| panic!("{operation} has one page: {}", answer.text()))
}

fn size(service: &str) -> &'static str {
    match service {
        "iam" => "MaxItems",
        "organizations" => "MaxResults",
        _ => "maxResults",
    }
}

fn member(service: &str) -> &'static str {
    match service {
        "iam" => "Marker",
        "organizations" => "NextToken",
        _ => "nextToken",
    }
}

/// Two of each thing that is listed.
async fn fill(account: &Account) {
    for name in ["one", "two"] {
        let named = |member: &str| json!({ member: name });
        account
            .ecr("CreateRepository", &named("repositoryName"))
            .await;
        account.iam("CreateUser", &named("UserName")).await;
        account.iam("CreateGroup", &named("GroupName")).await;
        account.role(name).await;
        let policy = json!({ "PolicyName": name, "PolicyDocument":
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"# });
        account.iam("CreatePolicy", &policy).await;
        let key = json!({ "UserName": "one" });
        account.iam("CreateAccessKey", &key).await;
        let tag = json!({ "UserName": "one", "Tags": [{ "Key": name, "Value": "v" }] });
        account.iam("TagUser", &tag).await;
    }
    for tag in ["a", "b"] {
        let manifest = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [], "annotations": { "n": tag } });
        let put = account.v2("PUT", &format!("one/manifests/{tag}"));
        let put = put.header("Content-Type", "application/vnd.oci.image.index.v1+json");
        put.body(manifest.to_string()).send().await.expect(201);
    }
}

#[tokio::test]
async fn a_page_of_another_accounts_list_is_no_page() {
    let scene = Scene::empty().await;
    fill(&scene.ours).await;
    fill(&scene.theirs).await;
    let of_user = json!({ "UserName": "one" });
    for (service, operation, input) in [
        ("ecr", "DescribeRepositories", json!({})),
        ("ecr", "ListImages", json!({ "repositoryName": "one" })),
        ("ecr", "DescribeImages", json!({ "repositoryName": "one" })),
        ("iam", "ListUsers", json!({})),
        ("iam", "ListGroups", json!({})),
        ("iam", "ListRoles", json!({})),
        ("iam", "ListPolicies", json!({ "Scope": "Local" })),
        ("iam", "ListAccessKeys", of_user.clone()),
        ("iam", "ListUserTags", of_user),
        ("iam", "GetAccountAuthorizationDetails", json!({})),
    ] {
        let ours = token(&scene.ours, service, operation, &input).await;
        let own = token(&scene.theirs, service, operation, &input).await;
        let with = |token: &str| {
            let mut input = input.clone();
            input[member(service)] = json!(token);
            input
        };
        // Their own is good, ours is as good as none.
        scene
            .theirs
            .admin
            .done(service, operation, &with(&own))
            .await;
        let ids = (ours.as_str(), "bm8gdG9rZW4");
        Swap::call(&scene.theirs.admin, service, operation, with, ids)
            .check()
            .await;
        // Nor is a token for another list.
        let password = scene.theirs.admin.password().await;
        let refused = scene
            .theirs
            .admin
            .call(service, operation, &with(&password))
            .await;
        assert_eq!(refused.status, 400, "{operation}: {}", refused.text());
    }
}

//! Calls of STS and Organizations that succeed for whoever may make them.

use serde_json::{Value, json};

use super::{rules::Need, scene::Scene};
use crate::harness::Account;

/// An input of STS, and the ARN of what it is about.
pub(super) async fn ask(scene: &Scene, account: &Account, operation: &str) -> (Value, String) {
    let star = |input| (input, "*".to_owned());
    match operation {
        "GetCallerIdentity" | "GetSessionToken" => star(json!({})),
        "GetAccessKeyInfo" => star(json!({ "AccessKeyId": account.assumer.person.key.id })),
        "DecodeAuthorizationMessage" => star(json!({ "EncodedMessage": message(account).await })),
        "GetFederationToken" => {
            let arn = format!("arn:aws:sts::{}:federated-user/fed", account.id);
            (json!({ "Name": "fed" }), arn)
        }
        "AssumeRole" => {
            let name = scene.fresh();
            account.role(&name).await;
            let arn = account.arn(&format!("role/{name}"));
            (json!({ "RoleArn": arn, "RoleSessionName": "session" }), arn)
        }
        other => panic!("no input for {other}"),
    }
}

/// Why somebody of the account was denied.
async fn message(account: &Account) -> String {
    let denied = account
        .assumer
        .call("iam", "ListUsers", &json!({}))
        .await
        .expect(403);
    denied
        .header("x-amzn-encoded-authorization-message")
        .unwrap()
        .to_owned()
}

/// An input of Organizations.
pub(super) async fn ask_organizations(scene: &Scene, operation: &str) -> Value {
    let name = scene.fresh();
    match operation {
        "CreateAccount" => json!({ "AccountName": name, "Email": format!("{name}@example.com") }),
        "DescribeAccount" => json!({ "AccountId": scene.ours.id }),
        "ListParents" => json!({ "ChildId": scene.ours.id }),
        "ListTagsForResource" => json!({ "ResourceId": scene.ours.id }),
        "DescribeCreateAccountStatus" => {
            let create = json!({ "AccountName": name, "Email": format!("{name}@example.com") });
            let made = scene
                .ours
                .admin
                .done("organizations", "CreateAccount", &create)
                .await;
            json!({ "CreateAccountRequestId": made.json()["CreateAccountStatus"]["Id"] })
        }
        "DescribeOrganization" | "ListAccounts" | "ListCreateAccountStatus" | "ListRoots" => {
            json!({})
        }
        other => panic!("no input for {other}"),
    }
}

/// What an operation of STS needs: the action of its name, of the caller's own account.
pub(super) fn need(operation: &str, resource: String) -> Need {
    Need {
        action: format!("sts:{operation}"),
        resource,
        owner: None,
        is_in_repository: false,
        or: None,
    }
}

/// What an operation of Organizations needs.
pub(super) fn need_of_organizations(operation: &str) -> Need {
    Need {
        action: format!("organizations:{operation}"),
        ..need(operation, "*".to_owned())
    }
}

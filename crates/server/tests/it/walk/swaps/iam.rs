//! Names, ARNs and ids of IAM's.

use serde_json::{Value, json};

use super::{Swap, check_all};
use crate::{
    harness::{Account, trust_in},
    walk::scene::Scene,
};

const DOCUMENT: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"#;

/// What ours has that is called `victim`; of theirs there are a user and a role called `own`.
struct Victim {
    key: String,
    task: String,
}

impl Victim {
    async fn make(scene: &Scene) -> Self {
        let (ours, theirs) = (&scene.ours, &scene.theirs);
        let key = ours.user("victim").await.person.key.id;
        ours.role("victim").await;
        let provider = json!({ "Url": "https://victim.example.com", "ClientIDList": ["a"], "ThumbprintList": ["a".repeat(40)] });
        for (operation, input) in [
            ("CreateGroup", json!({ "GroupName": "victim" })),
            (
                "CreatePolicy",
                json!({ "PolicyName": "victim", "PolicyDocument": DOCUMENT }),
            ),
            ("CreateOpenIDConnectProvider", provider),
            ("CreateAccountAlias", json!({ "AccountAlias": "victim" })),
            (
                "CreateServiceLinkedRole",
                json!({ "AWSServiceName": "replication.ecr.amazonaws.com" }),
            ),
        ] {
            ours.iam(operation, &input).await;
        }
        let role = json!({ "RoleName": "AWSServiceRoleForECRReplication" });
        let deleted = ours.iam("DeleteServiceLinkedRole", &role).await;
        theirs.user("own").await;
        theirs.role("own").await;
        Self {
            key,
            task: deleted.element("DeletionTaskId").unwrap(),
        }
    }
}

/// A call by somebody of the other account that names something by a member, with other members beside.
fn swap(by: &Account, operation: &str, member: &str, ids: (&str, &str), more: &Value) -> Swap {
    let with = |id: &str| {
        let mut input = more.clone();
        input[member] = json!(id);
        input
    };
    Swap::call(&by.admin, "iam", operation, with, ids)
}

#[tokio::test]
async fn names_of_another_account_are_not_told_from_others() {
    let scene = Scene::empty().await;
    Victim::make(&scene).await;
    let by = &scene.theirs;
    let trust = json!({ "PolicyDocument": trust_in(&by.id) });
    let none = json!({});
    let swaps = [
        ("GetUser", "UserName", &none),
        ("CreateAccessKey", "UserName", &none),
        ("DeleteUser", "UserName", &none),
        ("GetGroup", "GroupName", &none),
        ("AddUserToGroup", "GroupName", &json!({ "UserName": "own" })),
        ("GetRole", "RoleName", &none),
        ("UpdateAssumeRolePolicy", "RoleName", &trust),
        ("DeleteAccountAlias", "AccountAlias", &none),
    ];
    let swaps = swaps
        .map(|(operation, member, more)| swap(by, operation, member, ("victim", "absent"), more));
    check_all(&scene, swaps.into()).await;
}

#[tokio::test]
async fn policies_of_another_account_are_not_told_from_others_and_are_not_for_use() {
    let scene = Scene::empty().await;
    Victim::make(&scene).await;
    let by = &scene.theirs;
    let arn = |name: &str| scene.ours.arn(&format!("policy/{name}"));
    let (real, absent) = (arn("victim"), arn("absent"));
    let (user, role) = (json!({ "UserName": "own" }), json!({ "RoleName": "own" }));
    let none = json!({});
    let swaps = [
        ("GetPolicy", "PolicyArn", &none),
        (
            "GetPolicyVersion",
            "PolicyArn",
            &json!({ "VersionId": "v1" }),
        ),
        (
            "CreatePolicyVersion",
            "PolicyArn",
            &json!({ "PolicyDocument": DOCUMENT }),
        ),
        ("DeletePolicy", "PolicyArn", &none),
        ("ListEntitiesForPolicy", "PolicyArn", &none),
        ("AttachUserPolicy", "PolicyArn", &user),
        ("AttachRolePolicy", "PolicyArn", &role),
        ("PutUserPermissionsBoundary", "PermissionsBoundary", &user),
        ("PutRolePermissionsBoundary", "PermissionsBoundary", &role),
    ];
    let swaps =
        swaps.map(|(operation, member, more)| swap(by, operation, member, (&real, &absent), more));
    check_all(&scene, swaps.into()).await;
}

#[tokio::test]
async fn arns_and_ids_of_another_account_are_not_told_from_others() {
    let scene = Scene::empty().await;
    let victim = Victim::make(&scene).await;
    let by = &scene.theirs;
    let arns = |kind: &str, end: &str| {
        let arn = |name: &str| scene.ours.arn(&format!("{kind}/{name}{end}"));
        (arn("victim"), arn("absent"))
    };
    let key = (
        victim.key.clone(),
        format!("{}AAAA", &victim.key[..victim.key.len() - 4]),
    );
    let task = (
        victim.task.clone(),
        victim
            .task
            .replace(|letter: char| letter.is_ascii_digit(), "7"),
    );
    let provider = arns("oidc-provider", ".example.com");
    let (user, role) = (arns("user", ""), arns("role", ""));
    let own = json!({ "UserName": "own", "Status": "Inactive" });
    let actions = json!({ "ActionNames": ["ecr:PutImage"] });
    let none = json!({});
    let swaps = [
        (
            "GetOpenIDConnectProvider",
            "OpenIDConnectProviderArn",
            &provider,
            &none,
        ),
        (
            "DeleteOpenIDConnectProvider",
            "OpenIDConnectProviderArn",
            &provider,
            &none,
        ),
        (
            "DeleteAccessKey",
            "AccessKeyId",
            &key,
            &json!({ "UserName": "own" }),
        ),
        ("UpdateAccessKey", "AccessKeyId", &key, &own),
        ("GetAccessKeyLastUsed", "AccessKeyId", &key, &none),
        (
            "GetServiceLinkedRoleDeletionStatus",
            "DeletionTaskId",
            &task,
            &none,
        ),
        (
            "SimulatePrincipalPolicy",
            "PolicySourceArn",
            &user,
            &actions,
        ),
        (
            "SimulatePrincipalPolicy",
            "PolicySourceArn",
            &role,
            &actions,
        ),
        (
            "GetContextKeysForPrincipalPolicy",
            "PolicySourceArn",
            &user,
            &none,
        ),
    ];
    let swaps = swaps.map(|(operation, member, (real, absent), more)| {
        swap(by, operation, member, (real, absent), more)
    });
    let mut swaps = Vec::from(swaps);
    let session = |arn: &str| json!({ "RoleArn": arn, "RoleSessionName": "swap" });
    swaps.push(Swap::call(
        &by.admin,
        "sts",
        "AssumeRole",
        session,
        (&role.0, &role.1),
    ));
    let with_policy = |arn: &str| json!({ "RoleArn": by.arn("role/own"), "RoleSessionName": "swap", "PolicyArns": [{ "arn": arn }] });
    let policy = arns("policy", "");
    swaps.push(Swap::call(
        &by.assumer,
        "sts",
        "AssumeRole",
        with_policy,
        (&policy.0, &policy.1),
    ));
    check_all(&scene, swaps).await;
}

use longshore_registry::{
    iam::{
        attachment::{
            AttachGroupPolicy, AttachRolePolicy, AttachUserPolicy, DetachGroupPolicy,
            DetachRolePolicy, DetachUserPolicy, ListAttachedGroupPolicies,
            ListAttachedRolePolicies, ListAttachedUserPolicies,
        },
        group::AddUserToGroup,
        managed_policy::{CreatePolicy, CreatePolicyVersion},
        role::DeleteRole,
    },
    op::repository::DescribeRepositories,
};
use serde_json::json;

use super::{arn, caller, code, fault, group, policy, role, user};
use crate::harness::{TestCore, texts};

const READ_ONLY: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";
const TASK: &str = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";

#[tokio::test]
async fn policies_are_attached_once_and_detached() {
    let t = TestCore::start().await;
    user(&t, "u").await;
    group(&t, "g").await;
    role(&t, "r").await;
    for arn in [TASK, READ_ONLY, READ_ONLY] {
        t.ok::<AttachUserPolicy>(json!({"UserName": "u", "PolicyArn": arn}))
            .await;
        t.ok::<AttachGroupPolicy>(json!({"GroupName": "g", "PolicyArn": arn}))
            .await;
        t.ok::<AttachRolePolicy>(json!({"RoleName": "r", "PolicyArn": arn}))
            .await;
    }
    let both = json!([
        {"PolicyName": "AmazonEC2ContainerRegistryReadOnly", "PolicyArn": READ_ONLY},
        {"PolicyName": "AmazonECSTaskExecutionRolePolicy", "PolicyArn": TASK},
    ]);
    let of_user = async || {
        t.ok::<ListAttachedUserPolicies>(json!({"UserName": "u"}))
            .await
    };
    let of_group = async || {
        t.ok::<ListAttachedGroupPolicies>(json!({"GroupName": "g"}))
            .await
    };
    let of_role = async || {
        t.ok::<ListAttachedRolePolicies>(json!({"RoleName": "r"}))
            .await
    };
    for list in [of_user().await, of_group().await, of_role().await] {
        assert_eq!(list["AttachedPolicies"], both);
        assert_eq!(list["IsTruncated"], false);
    }
    let below = json!({"RoleName": "r", "PathPrefix": "/service-role/"});
    let below = t.ok::<ListAttachedRolePolicies>(below).await;
    assert_eq!(texts(&below["AttachedPolicies"], "PolicyArn"), [TASK]);
    let page = json!({"RoleName": "r", "MaxItems": 1});
    let page = t.ok::<ListAttachedRolePolicies>(page).await;
    let rest = json!({"RoleName": "r", "Marker": page["Marker"]});
    let rest = t.ok::<ListAttachedRolePolicies>(rest).await;
    assert_eq!(texts(&rest["AttachedPolicies"], "PolicyArn"), [TASK]);

    t.ok::<DetachUserPolicy>(json!({"UserName": "u", "PolicyArn": TASK}))
        .await;
    t.ok::<DetachGroupPolicy>(json!({"GroupName": "g", "PolicyArn": TASK}))
        .await;
    t.ok::<DetachRolePolicy>(json!({"RoleName": "r", "PolicyArn": TASK}))
        .await;
    for list in [of_user().await, of_group().await, of_role().await] {
        assert_eq!(texts(&list["AttachedPolicies"], "PolicyArn"), [READ_ONLY]);
    }
    assert_eq!(
        fault::<DetachUserPolicy>(&t, json!({"UserName": "u", "PolicyArn": TASK})).await,
        ("NoSuchEntity", format!("Policy {TASK} was not found."))
    );
    assert_eq!(
        fault::<DeleteRole>(&t, json!({"RoleName": "r"})).await,
        (
            "DeleteConflict",
            "Cannot delete entity, must detach all policies first.".to_owned()
        )
    );
}

#[tokio::test]
async fn what_is_not_there_is_not_attached() {
    let t = TestCore::start().await;
    user(&t, "u").await;
    let missing = arn("policy/missing");
    assert_eq!(
        fault::<AttachUserPolicy>(&t, json!({"UserName": "u", "PolicyArn": missing})).await,
        (
            "NoSuchEntity",
            format!("Policy {missing} does not exist or is not attachable.")
        )
    );
    let of = |name: &str, arn: &str| json!({"UserName": name, "PolicyArn": arn});
    assert_eq!(
        code::<AttachUserPolicy>(&t, of("none", READ_ONLY)).await,
        "NoSuchEntity"
    );
    assert_eq!(
        code::<AttachUserPolicy>(&t, of("u", "short")).await,
        "ValidationError"
    );
    let garbled = of("u", "not an arn but long enough");
    assert_eq!(code::<AttachUserPolicy>(&t, garbled).await, "InvalidInput");
    assert_eq!(
        code::<AttachUserPolicy>(&t, of("a b", READ_ONLY)).await,
        "ValidationError"
    );
    let none = json!({"RoleName": "none"});
    assert_eq!(
        code::<ListAttachedRolePolicies>(&t, none).await,
        "NoSuchEntity"
    );
}

#[tokio::test]
async fn a_hundred_are_enough() {
    let t = TestCore::start().await;
    role(&t, "r").await;
    for idx in 0..=100 {
        let document = policy("Allow", "ecr:*", "*");
        let input = json!({"PolicyName": format!("p{idx}"), "PolicyDocument": document});
        t.ok::<CreatePolicy>(input).await;
        let attach = json!({"RoleName": "r", "PolicyArn": arn(&format!("policy/p{idx}"))});
        if idx < 100 {
            t.ok::<AttachRolePolicy>(attach).await;
        } else {
            assert_eq!(
                fault::<AttachRolePolicy>(&t, attach).await,
                (
                    "LimitExceeded",
                    "Cannot exceed quota for PoliciesPerRole: 100".to_owned()
                )
            );
        }
    }
    // Attaching again what is attached is no more.
    let again = json!({"RoleName": "r", "PolicyArn": arn("policy/p7")});
    t.ok::<AttachRolePolicy>(again).await;
}

#[tokio::test]
async fn what_is_attached_decides_from_the_next_request_on() {
    let t = TestCore::start().await;
    let alice = user(&t, "alice").await["UserId"].take();
    group(&t, "g").await;
    let alice = caller(&t, &alice).await;
    let describe = async || {
        t.call_as::<DescribeRepositories>(alice.clone(), json!({}))
            .await
    };
    assert!(describe().await.is_err());
    let of = json!({"UserName": "alice", "PolicyArn": READ_ONLY});
    t.ok::<AttachUserPolicy>(of.clone()).await;
    assert!(describe().await.is_ok());
    t.ok::<DetachUserPolicy>(of).await;
    assert!(describe().await.is_err());
    // By a group.
    t.ok::<AttachGroupPolicy>(json!({"GroupName": "g", "PolicyArn": READ_ONLY}))
        .await;
    assert!(describe().await.is_err());
    t.ok::<AddUserToGroup>(json!({"GroupName": "g", "UserName": "alice"}))
        .await;
    assert!(describe().await.is_ok());
    t.ok::<DetachGroupPolicy>(json!({"GroupName": "g", "PolicyArn": READ_ONLY}))
        .await;
    assert!(describe().await.is_err());
    // By a customer's policy, whose default version is what counts.
    let document = policy("Allow", "ecr:DescribeRepositories", "*");
    t.ok::<CreatePolicy>(json!({"PolicyName": "p", "PolicyDocument": document}))
        .await;
    let attach = json!({"UserName": "alice", "PolicyArn": arn("policy/p")});
    t.ok::<AttachUserPolicy>(attach).await;
    assert!(describe().await.is_ok());
    let deny = policy("Deny", "ecr:*", "*");
    let mut version = json!({"PolicyArn": arn("policy/p"), "PolicyDocument": deny});
    t.ok::<CreatePolicyVersion>(version.clone()).await;
    assert!(describe().await.is_ok());
    version["SetAsDefault"] = json!(true);
    t.ok::<CreatePolicyVersion>(version).await;
    assert!(describe().await.is_err());
}

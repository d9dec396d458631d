use longshore_registry::{
    iam::{
        boundary::{
            DeleteRolePermissionsBoundary, DeleteUserPermissionsBoundary,
            PutRolePermissionsBoundary, PutUserPermissionsBoundary,
        },
        inline_policy::{PutRolePolicy, PutUserPolicy},
        managed_policy::CreatePolicy,
        role::{CreateRole, GetRole, TagRole},
        user::{CreateUser, GetUser},
    },
    op::{registry::DescribeRegistry, repository::DescribeRepositories},
};
use serde_json::{Value, json};

use super::{arn, caller, code, fault, policy, role, trust, user};
use crate::harness::{ACCOUNT, TestCore};

const READ_ONLY: &str = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";

fn told(arn: &str) -> Value {
    json!({
        "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
        "PermissionsBoundaryArn": arn,
    })
}

#[tokio::test]
async fn boundaries_are_put_told_and_taken_away() {
    let t = TestCore::start().await;
    user(&t, "u").await;
    role(&t, "r").await;
    let of_user = async || {
        t.ok::<GetUser>(json!({"UserName": "u"})).await["User"]["PermissionsBoundary"].take()
    };
    let of_role = async || {
        t.ok::<GetRole>(json!({"RoleName": "r"})).await["Role"]["PermissionsBoundary"].take()
    };
    let bound = json!({"UserName": "u", "PermissionsBoundary": READ_ONLY});
    t.ok::<PutUserPermissionsBoundary>(bound).await;
    let bound = json!({"RoleName": "r", "PermissionsBoundary": READ_ONLY});
    t.ok::<PutRolePermissionsBoundary>(bound).await;
    assert_eq!(
        (of_user().await, of_role().await),
        (told(READ_ONLY), told(READ_ONLY))
    );
    t.ok::<DeleteUserPermissionsBoundary>(json!({"UserName": "u"}))
        .await;
    t.ok::<DeleteRolePermissionsBoundary>(json!({"RoleName": "r"}))
        .await;
    assert_eq!(
        (of_user().await, of_role().await),
        (Value::Null, Value::Null)
    );

    let missing = arn("policy/missing");
    let text = format!("Scope ARN: {missing} does not exist or is not attachable.");
    let trust = trust(&json!({"AWS": ACCOUNT}));
    let make = json!({"RoleName": "new", "AssumeRolePolicyDocument": trust, "PermissionsBoundary": missing});
    for refused in [
        fault::<PutUserPermissionsBoundary>(
            &t,
            json!({"UserName": "u", "PermissionsBoundary": missing}),
        )
        .await,
        fault::<CreateUser>(
            &t,
            json!({"UserName": "new", "PermissionsBoundary": missing}),
        )
        .await,
        fault::<CreateRole>(&t, make).await,
    ] {
        assert_eq!(refused, ("NoSuchEntity", text.clone()));
    }
    let none = json!({"UserName": "none", "PermissionsBoundary": READ_ONLY});
    assert_eq!(
        code::<PutUserPermissionsBoundary>(&t, none).await,
        "NoSuchEntity"
    );
    let service = "arn:aws:iam::aws:policy/aws-service-role/ECRTemplateServiceRolePolicy";
    let service = json!({"UserName": "u", "PermissionsBoundary": service});
    assert_eq!(
        code::<PutUserPermissionsBoundary>(&t, service).await,
        "PolicyNotAttachable"
    );
}

#[tokio::test]
async fn a_boundary_bounds_from_the_next_request_on() {
    let t = TestCore::start().await;
    let alice = user(&t, "alice").await["UserId"].take();
    let alice = caller(&t, &alice).await;
    let everything = policy("Allow", "*", "*");
    let put = json!({"UserName": "alice", "PolicyName": "p", "PolicyDocument": everything});
    t.ok::<PutUserPolicy>(put).await;
    let allowed = async || {
        let repositories = t
            .call_as::<DescribeRepositories>(alice.clone(), json!({}))
            .await;
        let registry = t
            .call_as::<DescribeRegistry>(alice.clone(), json!({}))
            .await;
        (repositories.is_ok(), registry.is_ok())
    };
    assert_eq!(allowed().await, (true, true));
    let bound = json!({"UserName": "alice", "PermissionsBoundary": READ_ONLY});
    t.ok::<PutUserPermissionsBoundary>(bound).await;
    assert_eq!(allowed().await, (true, false));
    t.ok::<DeleteUserPermissionsBoundary>(json!({"UserName": "alice"}))
        .await;
    assert_eq!(allowed().await, (true, true));
}

/// How an administrator hands on the making of roles without handing on what they may do.
#[tokio::test]
async fn who_may_make_only_bounded_roles_makes_no_others() {
    let t = TestCore::start().await;
    let alice = user(&t, "alice").await["UserId"].take();
    let alice = caller(&t, &alice).await;
    let limit_text = policy("Allow", "ecr:*", "*");
    t.ok::<CreatePolicy>(json!({"PolicyName": "limit", "PolicyDocument": limit_text}))
        .await;
    let limit = arn("policy/limit");
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": ["iam:CreateRole", "iam:PutRolePolicy", "iam:TagRole"],
            "Resource": "*",
            "Condition": {"StringEquals": {"iam:PermissionsBoundary": limit}},
        }],
    });
    let put =
        json!({"UserName": "alice", "PolicyName": "p", "PolicyDocument": document.to_string()});
    t.ok::<PutUserPolicy>(put).await;
    let trust = trust(&json!({"AWS": ACCOUNT}));
    let mut make = json!({"RoleName": "r", "AssumeRolePolicyDocument": trust});
    assert!(
        t.call_as::<CreateRole>(alice.clone(), make.clone())
            .await
            .is_err()
    );
    make["PermissionsBoundary"] = json!(READ_ONLY);
    assert!(
        t.call_as::<CreateRole>(alice.clone(), make.clone())
            .await
            .is_err()
    );
    make["PermissionsBoundary"] = json!(limit);
    assert!(t.call_as::<CreateRole>(alice.clone(), make).await.is_ok());
    // The boundary that a role has counts for what is done to it later.
    role(&t, "free").await;
    let give =
        |name: &str| json!({"RoleName": name, "PolicyName": "p", "PolicyDocument": limit_text});
    let given = async |name: &str| {
        t.call_as::<PutRolePolicy>(alice.clone(), give(name))
            .await
            .is_ok()
    };
    assert!(given("r").await);
    assert!(!given("free").await);
    // Of what AWS does not tell it for, it is absent, so that nothing is allowed by it.
    let tag = json!({"RoleName": "r", "Tags": [{"Key": "a", "Value": ""}]});
    assert!(t.call_as::<TagRole>(alice.clone(), tag).await.is_err());
}

use longshore_registry::iam::{
    attachment::{AttachRolePolicy, ListAttachedRolePolicies},
    role::{
        CreateServiceLinkedRole, DeleteRole, DeleteServiceLinkedRole, GetRole,
        GetServiceLinkedRoleDeletionStatus, TagRole, UpdateRole,
    },
};
use serde_json::json;

use super::{arn, code, decoded, role};
use crate::harness::{TestCore, texts};

const ROLE: &str = "AWSServiceRoleForECRReplication";

#[tokio::test]
async fn the_three_roles_of_ecr_have_their_policies() {
    let t = TestCore::start().await;
    for (service, name, policy) in [
        (
            "replication.ecr.amazonaws.com",
            ROLE,
            "ECRReplicationServiceRolePolicy",
        ),
        (
            "pullthroughcache.ecr.amazonaws.com",
            "AWSServiceRoleForECRPullThroughCache",
            "AWSECRPullThroughCache_ServiceRolePolicy",
        ),
        (
            "ecr.amazonaws.com",
            "AWSServiceRoleForECRTemplate",
            "ECRTemplateServiceRolePolicy",
        ),
    ] {
        let input = json!({"AWSServiceName": service});
        let made = t.ok::<CreateServiceLinkedRole>(input.clone()).await["Role"].take();
        assert_eq!(
            made["Arn"],
            arn(&format!("role/aws-service-role/{service}/{name}"))
        );
        let trust = decoded(&made["AssumeRolePolicyDocument"]);
        assert_eq!(trust["Statement"][0]["Principal"]["Service"], service);
        let attached = t
            .ok::<ListAttachedRolePolicies>(json!({"RoleName": name}))
            .await;
        assert_eq!(texts(&attached["AttachedPolicies"], "PolicyName"), [policy]);
        assert_eq!(
            code::<CreateServiceLinkedRole>(&t, input).await,
            "InvalidInput"
        );
    }
    for bad in [
        json!({"AWSServiceName": "lambda.amazonaws.com"}),
        json!({"AWSServiceName": "ecr.amazonaws.com", "CustomSuffix": "x"}),
    ] {
        assert_eq!(
            code::<CreateServiceLinkedRole>(&t, bad).await,
            "InvalidInput"
        );
    }
}

#[tokio::test]
async fn only_the_service_changes_its_role() {
    let t = TestCore::start().await;
    let input = json!({"AWSServiceName": "replication.ecr.amazonaws.com"});
    t.ok::<CreateServiceLinkedRole>(input).await;
    role(&t, "own").await;
    let policy = "arn:aws:iam::aws:policy/AdministratorAccess";
    let unmodifiable = "UnmodifiableEntity";
    assert_eq!(
        code::<DeleteRole>(&t, json!({"RoleName": ROLE})).await,
        unmodifiable
    );
    assert_eq!(
        code::<UpdateRole>(&t, json!({"RoleName": ROLE})).await,
        unmodifiable
    );
    let tag = json!({"RoleName": ROLE, "Tags": [{"Key": "a", "Value": ""}]});
    assert_eq!(code::<TagRole>(&t, tag).await, unmodifiable);
    let attach = json!({"RoleName": ROLE, "PolicyArn": policy});
    assert_eq!(code::<AttachRolePolicy>(&t, attach).await, unmodifiable);
    let service_policy = "arn:aws:iam::aws:policy/aws-service-role/ECRReplicationServiceRolePolicy";
    let attach = json!({"RoleName": "own", "PolicyArn": service_policy});
    assert_eq!(
        code::<AttachRolePolicy>(&t, attach).await,
        "PolicyNotAttachable"
    );
}

#[tokio::test]
async fn deleting_is_done_when_its_task_is_told() {
    let t = TestCore::start().await;
    let input = json!({"AWSServiceName": "replication.ecr.amazonaws.com"});
    t.ok::<CreateServiceLinkedRole>(input).await;
    role(&t, "own").await;
    let delete = |name: &str| json!({"RoleName": name});
    assert_eq!(
        code::<DeleteServiceLinkedRole>(&t, delete("own")).await,
        "NoSuchEntity"
    );
    let task = t.ok::<DeleteServiceLinkedRole>(delete(ROLE)).await["DeletionTaskId"].take();
    let prefix = format!("task/aws-service-role/replication.ecr.amazonaws.com/{ROLE}/");
    assert!(task.as_str().unwrap().starts_with(&prefix), "{task}");
    assert_eq!(code::<GetRole>(&t, delete(ROLE)).await, "NoSuchEntity");
    let status = json!({"DeletionTaskId": task});
    assert_eq!(
        t.ok::<GetServiceLinkedRoleDeletionStatus>(status).await,
        json!({"Status": "SUCCEEDED"})
    );
    for (bad, expected) in [
        (format!("{prefix}x"), "NoSuchEntity"),
        ("task/own/x".to_owned(), "InvalidInput"),
        (
            task.as_str().unwrap().replace(ROLE, "other"),
            "NoSuchEntity",
        ),
    ] {
        let status = json!({"DeletionTaskId": bad});
        let refused = code::<GetServiceLinkedRoleDeletionStatus>(&t, status).await;
        assert_eq!(refused, expected, "{bad}");
    }
}

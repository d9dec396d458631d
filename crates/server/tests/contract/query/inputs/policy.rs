//! Managed and inline policies, boundaries, and what is told of all of them.

use serde_json::{Value, json};

use super::{
    MANAGED, POLICY,
    identity::{group, user},
    role::role,
};
use crate::{query::call::done, scene::Scene};

/// A new managed policy; returns its ARN.
fn policy(scene: &Scene) -> Value {
    let made = json!({"PolicyName": scene.fresh_word(), "PolicyDocument": POLICY});
    done(scene, "CreatePolicy", &made)["Policy"]["Arn"].clone()
}

/// Somebody of a kind who may hold policies, as inputs name them.
fn holder(scene: &Scene, kind: &str) -> Value {
    match kind {
        "User" => json!({"UserName": user(scene)}),
        "Group" => json!({"GroupName": group(scene)}),
        _ => json!({"RoleName": role(scene)}),
    }
}

pub(super) fn minimal(scene: &Scene, operation: &str) -> Option<Value> {
    for kind in ["User", "Group", "Role"] {
        if let Some(input) = of_holder(scene, operation, kind) {
            return Some(input);
        }
    }
    Some(match operation {
        "CreatePolicy" => json!({"PolicyName": scene.fresh_word(), "PolicyDocument": POLICY}),
        "ListPolicies" | "GetAccountAuthorizationDetails" => json!({}),
        "DeletePolicy"
        | "GetPolicy"
        | "ListEntitiesForPolicy"
        | "ListPolicyTags"
        | "ListPolicyVersions" => json!({"PolicyArn": policy(scene)}),
        "CreatePolicyVersion" => json!({"PolicyArn": policy(scene), "PolicyDocument": POLICY}),
        "GetPolicyVersion" => json!({"PolicyArn": policy(scene), "VersionId": "v1"}),
        "DeletePolicyVersion" | "SetDefaultPolicyVersion" => {
            let input = minimal(scene, "CreatePolicyVersion")?;
            done(scene, "CreatePolicyVersion", &input);
            json!({"PolicyArn": input["PolicyArn"], "VersionId": "v2"})
        }
        "TagPolicy" => json!({"PolicyArn": policy(scene), "Tags": [{"Key": "k", "Value": "v"}]}),
        "UntagPolicy" => json!({"PolicyArn": policy(scene), "TagKeys": ["k"]}),
        "SimulateCustomPolicy" => {
            json!({"PolicyInputList": [POLICY], "ActionNames": ["ecr:PutImage"]})
        }
        "GetContextKeysForCustomPolicy" => json!({"PolicyInputList": [POLICY]}),
        "SimulatePrincipalPolicy" => {
            json!({"PolicySourceArn": source(scene), "ActionNames": ["ecr:PutImage"]})
        }
        "GetContextKeysForPrincipalPolicy" => json!({"PolicySourceArn": source(scene)}),
        _ => return None,
    })
}

fn source(scene: &Scene) -> Value {
    let name = json!({"UserName": user(scene)});
    done(scene, "GetUser", &name)["User"]["Arn"].clone()
}

/// An operation on what somebody holds, such as `PutUserPolicy`.
fn of_holder(scene: &Scene, operation: &str, kind: &str) -> Option<Value> {
    let with = |members: &[(&str, &str)]| {
        let mut input = holder(scene, kind);
        for (name, value) in members {
            input[name] = json!(value);
        }
        input
    };
    let (first, second) = operation.split_once(kind)?;
    Some(match (first, second) {
        ("Attach", "Policy") => with(&[("PolicyArn", MANAGED)]),
        ("Detach", "Policy") => {
            let input = with(&[("PolicyArn", MANAGED)]);
            done(scene, &format!("Attach{kind}Policy"), &input);
            input
        }
        ("ListAttached" | "List", "Policies") => with(&[]),
        ("Put", "Policy") => with(&[("PolicyName", "p"), ("PolicyDocument", POLICY)]),
        ("Get" | "Delete", "Policy") => {
            let mut input = with(&[("PolicyName", "p"), ("PolicyDocument", POLICY)]);
            done(scene, &format!("Put{kind}Policy"), &input);
            input.as_object_mut()?.remove("PolicyDocument");
            input
        }
        ("Put", "PermissionsBoundary") => with(&[("PermissionsBoundary", MANAGED)]),
        ("Delete", "PermissionsBoundary") => {
            let mut input = with(&[("PermissionsBoundary", MANAGED)]);
            done(scene, &format!("Put{kind}PermissionsBoundary"), &input);
            input.as_object_mut()?.remove("PermissionsBoundary");
            input
        }
        _ => return None,
    })
}
